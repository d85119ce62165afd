/** A text as the rules read it: lower-case words without accents, invisible characters and disguises. */
export type Words = {
  /** An empty string is a break that no pattern crosses: the end of a sentence, a bracket. */
  readonly list: readonly string[];
  /** For each word, the index of the first word of its clause: what follows a break. */
  readonly clauses: readonly number[];
  /** For each word, the index of the first word of its sentence or line. */
  readonly sentences: readonly number[];
  /** For each word, whether it is within quotation marks. */
  readonly quoted: readonly boolean[];
};

/** Characters that are not seen, and those that only combine with others: accents, for example. */
const unseen = /[\p{M}\p{Cf}]/gu;

/** Letters of other scripts that look like Latin ones. Replaced in words that mix scripts. */
const lookalikes: Readonly<Record<string, string>> = {
  ...{ а: 'a', е: 'e', о: 'o', р: 'p', с: 'c', у: 'y', х: 'x', і: 'i', ѕ: 's', ј: 'j', ԁ: 'd' },
  ...{ ο: 'o', α: 'a', ε: 'e', ι: 'i', ρ: 'p', ν: 'v', τ: 't', κ: 'k', ո: 'n', һ: 'h', ӏ: 'l' },
  ...{ ı: 'i', ł: 'l', ø: 'o', ß: 'ss', æ: 'ae' },
};
/** Digits and signs that are written for letters. Replaced in words that have letters too. */
const leet: Readonly<Record<string, string>> = {
  ...{ 0: 'o', 1: 'i', 3: 'e', 4: 'a', 5: 's', 7: 't', '@': 'a', $: 's' },
};

/** The text in lower case, without accents and invisible characters. */
function plainText(text: string): string {
  return text.normalize('NFKD').replace(unseen, '').toLowerCase();
}

function plain(word: string): string {
  let result = word;
  if (/[a-z]/.test(word)) {
    if (/[^a-z0-9]/.test(word))
      result = result.replace(/[^a-z0-9]/g, (each) => lookalikes[each] ?? leet[each] ?? each);
    if (/\d/.test(result)) result = result.replace(/\d/g, (each) => leet[each] ?? each);
  }
  return result.replace(/['’]/g, '');
}

/** A closing quotation mark further away closes nothing. */
const maxQuotedWords = 60;
const closing: Readonly<Record<string, string>> = {
  '"': '"',
  '`': '`',
  '“': '”',
  '„': '“',
  '«': '»',
};

/** Joins words that are spelled with spaces: `i g n o r e`. */
const minSpelled = 4;

class Reader implements Words {
  readonly list: string[] = [];
  readonly clauses: number[] = [];
  readonly sentences: number[] = [];
  readonly quoted: boolean[] = [];
  #clause = 0;
  #sentence = 0;
  #spelled = 0;
  #quote: { readonly until: string; readonly from: number } | undefined;

  read(token: string): void {
    if (token === ',') this.#clause = this.list.length;
    else if (token.startsWith(' ')) this.#spelled = 0;
    else if (/^[\p{L}\p{N}@$'’]/u.test(token)) this.#word(plain(token));
    else this.#break(token);
  }

  #word(word: string): void {
    if (word === '') return;
    this.#spelled = word.length === 1 ? this.#spelled + 1 : 0;
    this.#add(word);
    if (this.#spelled < minSpelled) return;
    // The letters so far become one word, which the next letter continues.
    const count = this.#spelled === minSpelled ? minSpelled : 2;
    const letters = this.list.splice(-count).join('');
    for (const each of [this.clauses, this.sentences, this.quoted]) each.splice(-count);
    this.#add(letters);
  }

  #break(token: string): void {
    this.#spelled = 0;
    if (/["“”„«»`]/.test(token)) this.#quoteMark(token);
    else this.#add('');
    this.#clause = this.list.length;
    if (/[.!?\n]/.test(token)) this.#sentence = this.list.length;
  }

  #quoteMark(mark: string): void {
    const open = this.#quote;
    const until = closing[mark];
    if (open?.until === mark) {
      if (this.list.length - open.from <= maxQuotedWords) this.quoted.fill(true, open.from);
      this.#quote = undefined;
    } else if (
      until !== undefined &&
      (open === undefined || this.list.length - open.from > maxQuotedWords)
    ) {
      this.#quote = { until, from: this.list.length };
    }
  }

  #add(word: string): void {
    this.list.push(word);
    this.clauses.push(this.#clause);
    this.sentences.push(this.#sentence);
    this.quoted.push(false);
  }
}

/** Reads a text in one pass. */
export function wordsOf(text: string): Words {
  const reader = new Reader();
  for (const [token] of plainText(text).matchAll(
    /[\p{L}\p{N}@$'’]+|[,.!?;:\n()[\]{}<>"“”„«»`—|*#]| {2,}/gu,
  ))
    reader.read(token);
  return reader;
}

/** Words of a pattern, and how many other words may stand before them. */
type Step = { readonly words: ReadonlySet<string>; readonly gap: number };

/** A pattern of words: each step is a set of words. */
export type Pattern = readonly Step[];

/**
 * Parses a pattern such as `@ignore 3 previous|prior @instructions`: lists of words, classes of words, and the number of
 * words that may stand between two of them.
 */
export function patternOf(source: string, classes: Readonly<Record<string, string>>): Pattern {
  const steps: Step[] = [];
  let gap = 0;
  for (const item of source.split(' ')) {
    if (/^\d+$/.test(item)) {
      gap = Number(item);
      continue;
    }
    const words = item.split('|').flatMap((each) => {
      if (!each.startsWith('@')) return plainText(each);
      const list = classes[each.slice(1)];
      if (list === undefined) throw new Error(`there is no class ${each}`);
      return plainText(list).split(/\s+/);
    });
    steps.push({ words: new Set(words), gap });
    gap = 0;
  }
  return steps;
}

/** Whether the pattern continues after `index`, from the step on. Gaps are short, so this takes a bounded time. */
export function continues(
  list: readonly string[],
  index: number,
  pattern: Pattern,
  step = 1,
): boolean {
  const next = pattern[step];
  if (next === undefined) return true;
  for (let at = index + 1; at <= index + 1 + next.gap; at += 1) {
    const word = list[at];
    if (word === undefined || word === '') return false;
    if (next.words.has(word) && continues(list, at, pattern, step + 1)) return true;
  }
  return false;
}

/** A placeholder as it stands in a text, perhaps garbled by a model. */
export type PlaceholderMatch = {
  /** Index after its last character. */
  readonly end: number;
  readonly label: string;
  readonly number: number;
  /** Index from which on it is replaced. It is after an opening bracket that stays. */
  readonly from: number;
  /** Index up to which it is replaced. */
  readonly to: number;
};

/** No placeholder is longer: so many characters of a stream are held back at most. */
const maxPlaceholderLength = 32;

const openers = [
  '<',
  '&lt;',
  '\\<',
  '\\u003c',
  '%3c',
  '\uff1c',
  '\u27e8',
  '\u2039',
  '\u00ab',
  '[',
  '\\[',
];
const closers = [
  '>',
  '&gt;',
  '\\>',
  '\\u003e',
  '%3e',
  '\uff1e',
  '\u27e9',
  '\u203a',
  '\u00bb',
  '/>',
  ']',
  '\\]',
];
/** In JSON a single backslash belongs to the escape of a character, and must not be cut off from it. */
const jsonOpeners = openers.map((each) => (each.length === 2 ? `\\${each}` : each));
const junk = /[\s*_`\\~]/;
const separator = /[\s*_`\\~.:#-]/;
const maxJunk = 4;
const maxDigits = 6;
const wordCharacter = /[\p{L}\p{N}_]/u;
/** Before a name without brackets: it would be a part of a path, a variable or an address. */
const bindsBefore = /[\p{L}\p{N}_$\-./@%]/u;

/** The text ended before it was clear. */
type Unclear = 'unclear';

/** Reads one placeholder. It looks at no more than `maxPlaceholderLength` characters, so that a cut text is read like a whole one. */
class Reader {
  readonly #text: string;
  readonly #end: number;
  /** Whether more characters may follow that would be looked at. */
  readonly #isCut: boolean;

  constructor(text: string, at: number, isLast: boolean) {
    this.#text = text;
    this.#end = Math.min(text.length, at + maxPlaceholderLength);
    this.#isCut = !isLast && text.length < at + maxPlaceholderLength;
  }

  at(index: number): string | Unclear {
    if (index < this.#end) return this.#text.charAt(index);
    return this.#isCut ? 'unclear' : '';
  }

  isUnclear(index: number): boolean {
    return this.#isCut && index >= this.#end;
  }

  /** Index after the literal; `undefined` if it is not there. */
  literal(index: number, literal: string): number | Unclear | undefined {
    const seen = this.#text.slice(index, Math.min(this.#end, index + literal.length)).toLowerCase();
    if (seen === literal) return index + literal.length;
    return this.isUnclear(index + seen.length) && literal.startsWith(seen) ? 'unclear' : undefined;
  }

  /** The first of the literals that is there. */
  oneOf(index: number, literals: readonly string[]): number | Unclear | undefined {
    let result: Unclear | undefined;
    for (const literal of literals) {
      const end = this.literal(index, literal);
      if (typeof end === 'number') return end;
      result ??= end;
    }
    return result;
  }

  /** Index after at most `max` characters of the class. */
  skip(index: number, characters: RegExp, max: number): number {
    let end = index;
    while (end < this.#end && end < index + max && characters.test(this.#text.charAt(end)))
      end += 1;
    return end;
  }
}

/** Index after the label, whose words may be apart. */
function readLabel(reader: Reader, index: number, label: string): number | Unclear | undefined {
  let at = index;
  for (const letter of label) {
    if (letter === '_') {
      at = reader.skip(at, separator, maxJunk);
      continue;
    }
    const character = reader.at(at);
    if (character === 'unclear') return 'unclear';
    if (character.toUpperCase() !== letter) return undefined;
    at += 1;
  }
  return at;
}

type Core = { readonly label: string; readonly number: number; readonly end: number };

/** Label and number. */
function readCore(
  reader: Reader,
  index: number,
  labels: readonly string[],
): Core | Unclear | undefined {
  let unclear: Unclear | undefined;
  for (const label of labels) {
    const afterLabel = readLabel(reader, index, label);
    if (afterLabel === undefined) continue;
    if (afterLabel === 'unclear') {
      unclear = 'unclear';
      continue;
    }
    const start = reader.skip(afterLabel, separator, maxJunk);
    const end = reader.skip(start, /\d/, maxDigits);
    if (reader.isUnclear(end)) unclear = 'unclear';
    else if (end > start && !/\d/.test(reader.at(end))) {
      let digits = '';
      for (let at = start; at < end; at += 1) digits += reader.at(at);
      return { label, number: Number(digits), end };
    }
  }
  return unclear;
}

/** Index after the closing bracket, and any marks before it. */
function readCloser(reader: Reader, index: number): number | Unclear | undefined {
  for (let at = index; at <= index + maxJunk; at += 1) {
    const end = reader.oneOf(at, closers);
    if (end !== undefined) return end;
    const character = reader.at(at);
    if (character === 'unclear') return 'unclear';
    if (character === '' || !junk.test(character)) return undefined;
  }
  return undefined;
}

/** `EMAIL_1`, letter by letter: other ways to write it are common words unless in brackets. */
function isExact(text: string, index: number, { label, number, end }: Core): boolean {
  return text.slice(index, end).replace('\\_', '_') === `${label}_${number}`;
}

/** Whether a text has the first letters of a label, as far as it goes. */
function startsLike(text: string, index: number, label: string): boolean {
  const end = Math.min(text.length - index, label.length, 2);
  for (let at = 1; at < end; at += 1) {
    if (text.charCodeAt(index + at) !== label.charCodeAt(at)) return false;
  }
  return text.charCodeAt(index) === label.charCodeAt(0);
}

/**
 * Reads the placeholder that starts at an index. `before` is the text before it; `isLast` is whether the text is whole.
 * Returns `unclear` if that depends on what follows.
 */
export function readPlaceholder(
  text: string,
  index: number,
  labels: readonly string[],
  {
    before,
    isLast,
    isJson,
  }: { readonly before: string; readonly isLast: boolean; readonly isJson: boolean },
): PlaceholderMatch | Unclear | undefined {
  const isBare = /[A-Z]/.test(text.charAt(index));
  // Most capital letters start a word.
  if (isBare && !labels.some((label) => startsLike(text, index, label))) return undefined;
  const reader = new Reader(text, index, isLast);
  const opened = isBare ? undefined : reader.oneOf(index, isJson ? jsonOpeners : openers);
  if (opened === 'unclear') return 'unclear';
  const start = opened === undefined ? index : reader.skip(opened, junk, maxJunk);
  if (opened === undefined) {
    const escaped = isJson && /(?<!\\)\\[nrtbf]$/.test(before);
    if (!escaped && bindsBefore.test(before.slice(-1))) return undefined;
  }
  if (reader.isUnclear(start)) return 'unclear';
  const core = readCore(reader, start, labels);
  if (core === undefined || core === 'unclear') return core;
  const { label, number, end } = core;
  const closed = readCloser(reader, end);
  if (closed === 'unclear') return 'unclear';
  if (opened !== undefined && closed !== undefined) {
    // The brackets of a link's text are Markdown's.
    const next = text.charAt(opened - 1) === '[' ? reader.at(closed) : '';
    if (next === 'unclear') return 'unclear';
    if (next === '(') return { end: closed, label, number, from: opened, to: closed - 1 };
    return { end: closed, label, number, from: index, to: closed };
  }
  // One bracket or both were lost.
  if (!isExact(text, start, core)) return undefined;
  if (closed !== undefined && text.charAt(closed - 1) !== ']') {
    return { end: closed, label, number, from: index, to: closed };
  }
  const next = reader.at(end);
  if (next === 'unclear') return 'unclear';
  if (wordCharacter.test(next)) return undefined;
  const from = text.charAt(start - 1) === '[' ? start : index;
  return { end, label, number, from, to: end };
}

/** Matches the characters that a placeholder of these labels may start with. */
export function startsOf(labels: readonly string[]): RegExp {
  const letters = [...new Set(labels.map((label) => label.charAt(0)))].join('');
  return new RegExp(`[<&\\\\%\\uff1c\\u27e8\\u2039\\u00ab\\[${letters}]`, 'g');
}

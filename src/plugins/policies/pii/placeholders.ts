import { readPlaceholder, startsOf } from './placeholder-grammar.ts';

/** `birth-date` → `BIRTH_DATE`. */
function labelOf(kind: string): string {
  return kind.toUpperCase().replaceAll('-', '_');
}

function escaped(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

/** Values that are found next to a word are replaced where the word is missing, if they have so many characters. */
const minKnownLength = 5;
/** Longer ones are found within words too. */
const maxWordLength = 12;
const wordCharacter = /[\p{L}\p{N}]/u;

/** Whether the part of a text is no part of a longer word or number. */
function isWhole(text: string, start: number, end: number): boolean {
  const goesOn = (inside: number, outside: number) =>
    wordCharacter.test(text.charAt(inside)) && wordCharacter.test(text.charAt(outside));
  return !goesOn(start, start - 1) && !goesOn(end - 1, end);
}

/** The labels of kinds, and a pattern of what a placeholder may start with. */
export type PlaceholderLabels = { readonly labels: readonly string[]; readonly starts: RegExp };

/** Made once for all calls. */
export function placeholderLabels(kinds: readonly string[]): PlaceholderLabels {
  const labels = [...new Set(kinds.map(labelOf))];
  return { labels, starts: startsOf(labels) };
}

/** The placeholders of one call. */
export class Placeholders {
  readonly #byValue = new Map<string, string>();
  readonly #valueOf = new Map<string, string>();
  /** The highest number by label. */
  readonly #last = new Map<string, number>();
  /** Placeholders that the request itself contained. They are nobody's. */
  readonly #taken = new Set<string>();
  /** Lengths of the values by their first characters. */
  readonly #lengths = new Map<string, number[]>();
  readonly #firstCodes = new Set<number>();
  #known: PlaceholderLabels;

  constructor(known: PlaceholderLabels) {
    this.#known = known;
  }

  /** Learns the labels of more kinds. */
  learn(kinds: readonly string[]): void {
    const { labels } = this.#known;
    const more = kinds.filter((kind) => !labels.includes(labelOf(kind)));
    if (more.length > 0) this.#known = placeholderLabels([...labels, ...more]);
  }

  get isEmpty(): boolean {
    return this.#byValue.size === 0;
  }

  /** Reserves what the text contains already, so that it is not taken for a placeholder of this call. */
  reserve(text: string): void {
    this.#replaced(text, { before: '', isLast: true, isJson: false }, (name) => {
      if (!this.#valueOf.has(name)) this.#taken.add(name);
      return undefined;
    });
  }

  /** The placeholder for a value: the same for the same one. */
  for(value: string, kind: string): string {
    const known = this.#byValue.get(value);
    if (known !== undefined) return known;
    const label = labelOf(kind);
    this.learn([kind]);
    let number = (this.#last.get(label) ?? 0) + 1;
    while (this.#taken.has(`${label}_${number}`)) number += 1;
    this.#last.set(label, number);
    const name = `${label}_${number}`;
    const placeholder = `<${name}>`;
    this.#byValue.set(value, placeholder);
    this.#valueOf.set(name, value);
    if (value.length >= minKnownLength) {
      const head = value.slice(0, minKnownLength);
      const lengths = this.#lengths.get(head) ?? [];
      this.#firstCodes.add(value.charCodeAt(0));
      if (!lengths.includes(value.length)) lengths.push(value.length);
      this.#lengths.set(
        head,
        lengths.sort((a, b) => b - a),
      );
    }
    return placeholder;
  }

  /** Replaces all values that are known. */
  hide(text: string): string {
    if (this.#lengths.size === 0) return text;
    let hidden = '';
    let from = 0;
    for (let at = 0; at + minKnownLength <= text.length; at += 1) {
      if (!this.#firstCodes.has(text.charCodeAt(at))) continue;
      const lengths = this.#lengths.get(text.slice(at, at + minKnownLength));
      if (lengths === undefined) continue;
      for (const length of lengths) {
        const placeholder = this.#byValue.get(text.slice(at, at + length));
        if (placeholder === undefined) continue;
        if (length < maxWordLength && !isWhole(text, at, at + length)) continue;
        hidden += text.slice(from, at) + placeholder;
        from = at + length;
        at = from - 1;
        break;
      }
    }
    return from === 0 ? text : hidden + text.slice(from);
  }

  /** Puts the values back into a whole text. In JSON text they are escaped. */
  restore(text: string, format: 'text' | 'json'): string {
    if (this.isEmpty) return text;
    const reading = { before: '', isLast: true, isJson: format === 'json' };
    return this.#replaced(text, reading, (name) => this.#valueAs(name, format)).text;
  }

  /**
   * Puts the values back into a text that arrives in pieces. What may be the start of a placeholder is held back: less
   * than 32 characters.
   */
  restorer(format: 'text' | 'json'): Restorer {
    let held = '';
    let before = '';
    const take = (delta: string, isLast: boolean): string => {
      if (this.isEmpty) return delta;
      const all = held + delta;
      const reading = { before, isLast, isJson: format === 'json' };
      const { text, read } = this.#replaced(all, reading, (name) => this.#valueAs(name, format));
      held = all.slice(read);
      before = (before + all.slice(0, read)).slice(-3);
      return text;
    };
    return { push: (delta) => take(delta, false), end: () => take('', true) };
  }

  #valueAs(name: string, format: 'text' | 'json'): string | undefined {
    const value = this.#valueOf.get(name);
    return value === undefined || format === 'text' ? value : escaped(value);
  }

  /** Replaces the placeholders in a text; `read` is the index up to which it is clear. */
  #replaced(
    text: string,
    reading: { readonly before: string; readonly isLast: boolean; readonly isJson: boolean },
    find: (name: string) => string | undefined,
  ): { readonly text: string; readonly read: number } {
    const { starts, labels } = this.#known;
    let out = '';
    let from = 0;
    starts.lastIndex = 0;
    for (let start = starts.exec(text); start !== null; start = starts.exec(text)) {
      const { index } = start;
      const before = (reading.before + text.slice(Math.max(0, index - 3), index)).slice(-3);
      const match = readPlaceholder(text, index, labels, { ...reading, before });
      if (match === undefined) continue;
      if (match === 'unclear') return { text: out + text.slice(from, index), read: index };
      const value = find(`${match.label}_${match.number}`);
      if (value === undefined) continue;
      out += text.slice(from, match.from) + value + text.slice(match.to, match.end);
      from = match.end;
      starts.lastIndex = match.end;
    }
    return { text: from === 0 ? text : out + text.slice(from), read: text.length };
  }
}

/** Puts values back into a text that arrives in pieces. */
export type Restorer = {
  /** Returns what is clear by now. */
  push(delta: string): string;
  /** The text is complete: returns the rest. */
  end(): string;
};

/** The longest name of a kind. Its placeholder, with brackets escaped as in JSON, fits into what a stream holds back. */
export const maxKindLength = 16;

/** An event that does nothing but add to a text. */
export type TextEvent = {
  /** Where in the answer the text belongs, in the wire's own words. */
  readonly place: string;
  /** The field that holds the text, wherever in the event it is. */
  readonly field: string;
  readonly text: string;
  /** Fields that may differ from event to event and say nothing, such as padding and counters. */
  readonly idle: readonly string[];
};

/** What stands between two literals: the text, the value of an idle field, or padding. */
type Gap = 'text' | 'string' | 'number' | 'spaces';

/**
 * A field and its value, a string or digits. The quote before the name follows a brace or a comma, so it is not
 * escaped; and it cannot end a string, or a name would follow that.
 */
const fields = /(?<=[{,]\s*)"(\w+)"\s*:\s*(?:"([^"\\]*(?:\\.[^"\\]*)*)"|(\d+))/g;

/** Anthropic pads events so. The brace is the last of the event. */
const padding = / +(?=\}\n+$)/;

/** An event longer than this is no piece of a text, or carries too much beside it. */
const maxLength = 4_096;

const quote = 0x22;
const backslash = 0x5c;
const space = 0x20;
const zero = 0x30;
const nine = 0x39;

/** Where a string without escapes ends, its first character being at `from`; -1 for another. */
function stringEnd(stream: string, from: number): number {
  for (let at = from; at < stream.length; at++) {
    const code = stream.charCodeAt(at);
    if (code === quote) return at;
    if (code === backslash || code < space) return -1;
  }
  return -1;
}

/** Whether JSON writes a text with backslashes. */
export function hasEscapes(text: string): boolean {
  return stringEnd(`${text}"`, 0) < text.length;
}

/** Where digits end that are a number of JSON; -1 for others. */
function numberEnd(stream: string, from: number): number {
  let at = from;
  while (stream.charCodeAt(at) >= zero && stream.charCodeAt(at) <= nine) at++;
  const isPadded = stream.charCodeAt(from) === zero && at > from + 1;
  return at === from || isPadded ? -1 : at;
}

function spacesEnd(stream: string, from: number): number {
  let at = from;
  while (stream.charCodeAt(at) === space) at++;
  return at;
}

const ends: Readonly<Record<Gap, (stream: string, from: number) => number>> = {
  text: stringEnd,
  string: stringEnd,
  number: numberEnd,
  spaces: spacesEnd,
};

/** See {@link repeatedEvent}. */
export class RepeatedEvent {
  /** The event that it repeats. */
  readonly event: TextEvent;
  /** The text of the event found last. */
  text = '';
  readonly #literals: readonly string[];
  readonly #gaps: readonly Gap[];

  constructor(event: TextEvent, literals: readonly string[], gaps: readonly Gap[]) {
    this.event = event;
    this.#literals = literals;
    this.#gaps = gaps;
  }

  /** Where the event that begins at `from` ends; -1 when it is another one, or not whole yet. */
  find(stream: string, from: number): number {
    let at = from;
    for (let index = 0; ; index++) {
      const literal = this.#literals[index] ?? '';
      const start = at;
      at += literal.length;
      // Half of the time of `startsWith`, which compares character by character.
      if (stream.slice(start, at) !== literal) return -1;
      const gap = this.#gaps[index];
      if (gap === undefined) return at;
      const end = ends[gap](stream, at);
      if (end < 0) return -1;
      if (gap === 'text') this.text = stream.slice(at, end);
      at = end;
    }
  }
}

/**
 * What events look like that are `frame` again with another text: most events of a stream differ in nothing else, and
 * comparing them takes less than decoding them. What is found is what `JSON.parse` would find: all but the values is
 * the same to the character, and values with escapes are not taken.
 *
 * `undefined` when the field is not found once and for sure.
 */
export function repeatedEvent(frame: string, event: TextEvent): RepeatedEvent | undefined {
  if (frame.length > maxLength) return undefined;
  const literals: string[] = [];
  const gaps: Gap[] = [];
  let done = 0;
  for (const match of frame.matchAll(fields)) {
    const [whole, name = '', text, digits = ''] = match;
    const isText = name === event.field && text === event.text;
    if (!isText && !event.idle.includes(name)) continue;
    const value = text === undefined ? digits.length : text.length + 1;
    const start = match.index + whole.length - value;
    literals.push(frame.slice(done, start));
    gaps.push(isText ? 'text' : text === undefined ? 'number' : 'string');
    done = start + (text ?? digits).length;
  }
  const padded = padding.exec(frame);
  if (padded !== null) {
    literals.push(frame.slice(done, padded.index));
    gaps.push('spaces');
    done = padded.index + padded[0].length;
  }
  if (gaps.filter((gap) => gap === 'text').length !== 1) return undefined;
  return new RepeatedEvent(event, [...literals, frame.slice(done)], gaps);
}

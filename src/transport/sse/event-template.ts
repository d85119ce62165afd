/**
 * An event that does nothing but add to a text. What else it says may be said again, right behind it, without
 * changing anything.
 */
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
const fields = /[{,]\s*"(\w+)"\s*:\s*(?:"([^"\\]*(?:\\.[^"\\]*)*)"|(\d+))/g;

/** Anthropic pads events so. The brace is the last of the event. */
const padding = /(?<! ) +(?=\}\n+$)/;

/** An event longer than this is no piece of a text, or carries too much beside it. */
const maxLength = 4_096;

const quote = 0x22;
const backslash = 0x5c;
const space = 0x20;
const zero = 0x30;
const nine = 0x39;

/** From this length on V8 does not copy a part of a string but holds on to the whole of it. */
const sliceLength = 13;

/** Where a string without escapes ends, its first character being at `from`; -1 for another. */
function plainEnd(stream: string, from: number): number {
  for (let at = from; at < stream.length; at++) {
    const code = stream.charCodeAt(at);
    if (code === quote) return at;
    if (code === backslash || code < space) return -1;
  }
  return -1;
}

/** Where a string ends, whatever is in it. */
function stringEnd(stream: string, from: number): number {
  for (let at = from; at < stream.length; at++) {
    const code = stream.charCodeAt(at);
    if (code === quote) return at;
    if (code === backslash) at++;
  }
  return -1;
}

/** The value of the string between two places, in memory of its own; `undefined` when it is no JSON. */
function stringIn(stream: string, from: number, end: number): string | undefined {
  if (end - from < sliceLength && plainEnd(stream, from) === end) return stream.slice(from, end);
  try {
    return JSON.parse(stream.slice(from - 1, end + 1));
  } catch {
    return undefined;
  }
}

/** Where digits end that are a number of JSON; -1 for others. */
function numberEnd(stream: string, from: number): number {
  let at = from;
  while (stream.charCodeAt(at) >= zero && stream.charCodeAt(at) <= nine) at++;
  const isPadded = stream.charCodeAt(from) === zero && at > from + 1;
  return at === from || isPadded ? -1 : at;
}

/** What a string means whose characters, between the quotes, are these. */
function meaningOf(raw: string): string | undefined {
  return stringIn(`"${raw}"`, 1, raw.length + 1);
}

function spacesEnd(stream: string, from: number): number {
  let at = from;
  while (stream.charCodeAt(at) === space) at++;
  return at;
}

const ends: Readonly<Record<Gap, (stream: string, from: number) => number>> = {
  text: stringEnd,
  string: plainEnd,
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
      if (gap === 'text') {
        const text = stringIn(stream, at, end);
        if (text === undefined) return -1;
        this.text = text;
      }
      at = end;
    }
  }
}

/**
 * What events look like that are the same as that of `frame` but for the text: most events of a stream are, and
 * comparing them takes less than decoding them. All but the values is the same to the character, so `JSON.parse` would
 * find nothing else.
 *
 * `undefined` when it is not plain where the text is.
 */
export function repeatedEvent(frame: string, event: TextEvent): RepeatedEvent | undefined {
  if (frame.length > maxLength) return undefined;
  // In memory of its own: the frame is part of a piece, which may be long.
  const whole = Buffer.from(frame).toString();
  const literals: string[] = [];
  const gaps: Gap[] = [];
  const names = new Set<string>();
  let done = 0;
  function leave(start: number, end: number, gap: Gap): void {
    literals.push(whole.slice(done, start));
    gaps.push(gap);
    done = end;
  }
  for (const match of whole.matchAll(fields)) {
    const [found, name = '', text, digits = ''] = match;
    const end = match.index + found.length;
    const isText = name === event.field && text !== undefined && meaningOf(text) === event.text;
    if (!isText && !event.idle.includes(name)) continue;
    // The second may be a part of something that is read.
    if (names.has(name)) return undefined;
    names.add(name);
    if (text === undefined) leave(end - digits.length, end, 'number');
    else leave(end - 1 - text.length, end - 1, isText ? 'text' : 'string');
  }
  const padded = padding.exec(whole);
  if (padded !== null) leave(padded.index, padded.index + padded[0].length, 'spaces');
  literals.push(whole.slice(done));
  // Names, too, can be written with escapes.
  const isPlain = names.has(event.field) && !literals.some((literal) => literal.includes('\\'));
  return isPlain ? new RepeatedEvent(event, literals, gaps) : undefined;
}

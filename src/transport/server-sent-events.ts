import { checkCount, defaultMaxAnswerBytes, parseJson, TextCollector } from './answer-bound.ts';

/**
 * An event that only appends to a text. Its other fields have no effect when the same event is repeated directly
 * after it.
 */
export type TextEvent = {
  /** Which text of the answer it appends to, as the wire names it. */
  readonly place: string;
  /** The field that contains the text, at any depth of the event. */
  readonly field: string;
  readonly text: string;
  /** Fields whose values may differ without meaning anything, such as padding and counters. */
  readonly idle: readonly string[];
};

/** The variable part between two literals: the text, the value of an idle field, or padding. */
type Gap = 'text' | 'string' | 'number' | 'spaces';

/**
 * A field and its value, a string or digits. The quote before the name follows a brace or a comma, so it is not escaped.
 * It cannot end a string either, because a name cannot follow a string.
 */
const fields = /[{,]\s*"(\w+)"\s*:\s*(?:"([^"\\]*(?:\\.[^"\\]*)*)"|(\d+))/g;

/** Anthropic pads events with spaces before the closing brace. */
const padding = /(?<! ) +(?=\}\n+$)/;

/** A longer event is not worth matching: it is not a text delta, or has too many other fields. */
const maxLength = 4_096;

const quote = 0x22;
const backslash = 0x5c;
const space = 0x20;
const zero = 0x30;
const nine = 0x39;

/** A slice of at least this length keeps the whole string in memory. */
const minSharedLength = 13;

/** Index of the closing quote of the string that starts at `from`; -1 if it contains escapes. */
function plainEnd(stream: string, from: number): number {
  for (let at = from; at < stream.length; at++) {
    const code = stream.charCodeAt(at);
    if (code === quote) return at;
    if (code === backslash || code < space) return -1;
  }
  return -1;
}

/** Index of the closing quote of the string that starts at `from`. */
function stringEnd(stream: string, from: number): number {
  for (let at = from; at < stream.length; at++) {
    const code = stream.charCodeAt(at);
    if (code === quote) return at;
    if (code === backslash) at++;
  }
  return -1;
}

/** The value of the string between two indexes, as a copy; `undefined` when it is invalid JSON. */
function stringIn(stream: string, from: number, end: number): string | undefined {
  if (end - from < minSharedLength && plainEnd(stream, from) === end)
    return stream.slice(from, end);
  try {
    return JSON.parse(stream.slice(from - 1, end + 1));
  } catch {
    return undefined;
  }
}

/** Index of the end of the digits at `from`; -1 if they are not a JSON number. */
function numberEnd(stream: string, from: number): number {
  let at = from;
  while (stream.charCodeAt(at) >= zero && stream.charCodeAt(at) <= nine) at++;
  const isPadded = stream.charCodeAt(from) === zero && at > from + 1;
  return at === from || isPadded ? -1 : at;
}

/** Decodes the characters between the quotes of a JSON string. */
function decodeString(raw: string): string | undefined {
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
  /** The event that is repeated. */
  readonly event: TextEvent;
  /** The text of the event that matched last. */
  text = '';
  readonly #literals: readonly string[];
  readonly #gaps: readonly Gap[];

  constructor(event: TextEvent, literals: readonly string[], gaps: readonly Gap[]) {
    this.event = event;
    this.#literals = literals;
    this.#gaps = gaps;
  }

  /** Index of the end of the event at `from`; -1 when it does not match or is incomplete. */
  find(stream: string, from: number): number {
    let at = from;
    for (let index = 0; ; index++) {
      const literal = this.#literals[index] ?? '';
      const start = at;
      at += literal.length;
      // Twice as fast as `startsWith`.
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
 * Makes a template that matches events which differ from `frame` only in their text. Most events of a stream do, and
 * matching them is faster than decoding them. Everything but the values is compared character by character, so the
 * result is the same as that of `JSON.parse`.
 *
 * Returns `undefined` when the position of the text is ambiguous.
 */
export function repeatedEvent(frame: string, event: TextEvent): RepeatedEvent | undefined {
  if (frame.length > maxLength) return undefined;
  // A copy, because the frame is a slice of a chunk, which may be long.
  const whole = Buffer.from(frame).toString();
  const literals: string[] = [];
  const gaps: Gap[] = [];
  const names = new Set<string>();
  let done = 0;
  function addGap(start: number, end: number, gap: Gap): void {
    literals.push(whole.slice(done, start));
    gaps.push(gap);
    done = end;
  }
  for (const match of whole.matchAll(fields)) {
    const [found, name = '', text, digits = ''] = match;
    const end = match.index + found.length;
    const isText = name === event.field && text !== undefined && decodeString(text) === event.text;
    if (!isText && !event.idle.includes(name)) continue;
    // The second occurrence may be a field that matters.
    if (names.has(name)) return undefined;
    names.add(name);
    if (text === undefined) addGap(end - digits.length, end, 'number');
    else addGap(end - 1 - text.length, end - 1, isText ? 'text' : 'string');
  }
  const padded = padding.exec(whole);
  if (padded !== null) addGap(padded.index, padded.index + padded[0].length, 'spaces');
  literals.push(whole.slice(done));
  // Names can be escaped, too.
  const isPlain = names.has(event.field) && !literals.some((literal) => literal.includes('\\'));
  return isPlain ? new RepeatedEvent(event, literals, gaps) : undefined;
}

/** One event of a server-sent event stream, with its data decoded. */
export type ServerSentEvent =
  | {
      readonly type: 'event';
      readonly name: string | undefined;
      readonly data: unknown;
    }
  /** A repetition of the previous event with another text: see {@link EventDecoder.expectAgain}. */
  | { readonly type: 'again'; readonly of: TextEvent; readonly text: string }
  /** Data that is not JSON. */
  | { readonly type: 'malformed' }
  /** OpenAI's `[DONE]`. */
  | { readonly type: 'done' };

/** Comments and keep-alives, which proxies send as data. */
const keepAlive = /^(?::|(?:ping|pong|keep-?alive|heartbeat|openrouter processing)\W*$)/i;

/** The names of keep-alive events. Some vendors send them with data that is not JSON. */
const keepAliveNames: readonly (string | undefined)[] = [
  'ping',
  'keepalive',
  'keep-alive',
  'heartbeat',
];

/** `undefined` when there is only white space, or a keep-alive. */
function decodeData(
  name: string | undefined,
  text: string,
  maxBytes: number,
): ServerSentEvent | undefined {
  if (text === '[DONE]') return { type: 'done' };
  const data = parseJson(text, maxBytes);
  if (data !== undefined) return { type: 'event', name, data };
  const word = text.trim();
  if (word === '' || keepAlive.test(word) || keepAliveNames.includes(name)) return undefined;
  return { type: word === '[DONE]' ? 'done' : 'malformed' };
}

/** Stops expecting repetitions after this many that did not come. */
const maxMisses = 3;

/**
 * Decodes server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html) chunk by chunk: accepts any
 * line ending, ignores comments and joins several `data` lines. Two differences to the standard, because vendors need
 * them: the last event may lack its blank line, and an empty `data` is skipped. Terminal markers are left to the wire.
 */
export class EventDecoder {
  /** The current chunk, where its next line begins, and where the event begins (-1 if in an earlier chunk). */
  #text = '';
  #at = 0;
  #start = -1;
  /** The beginning of the current line, from earlier chunks. */
  readonly #rest = new TextCollector();
  /** Whether the last chunk ended with a carriage return, to which a following line feed belongs. */
  #isHalfBreak = false;
  #name: string | undefined;
  /** The first `data` line; later ones are in `#moreData`. */
  #data: string | undefined;
  #moreData: string[] | undefined;
  /** Matches repetitions of the last text event. */
  #repeated: RepeatedEvent | undefined;
  /** Whether that was also the last event. After another event, its other fields may matter. */
  #isLast = false;
  /** How many expected repetitions in a row did not come. */
  #misses = 0;

  readonly #maxBytes: number;

  /** `maxBytes` limits the parsed size of an event; the body's size is limited by its reader. */
  constructor(maxBytes: number = defaultMaxAnswerBytes) {
    this.#maxBytes = maxBytes;
  }

  /** Takes the next chunk, after `next` has returned all events of the previous one. */
  take(chunk: string): void {
    if (chunk === '') return;
    this.#text = this.#withLineFeeds(chunk);
    this.#at = 0;
    this.#start = -1;
  }

  /** Takes the last chunk. `next` then also returns an unfinished event. */
  end(chunk: string): void {
    this.take(`${chunk}\n\n`);
  }

  /** The next complete event. */
  next(): ServerSentEvent | undefined {
    for (;;) {
      if (this.#isBetween()) {
        this.#start = this.#at;
        const again = this.#matchAgain();
        if (again !== undefined) return again;
      }
      // Search only the chunk, so that a line in a thousand chunks is joined once.
      const end = this.#text.indexOf('\n', this.#at);
      if (end < 0) {
        this.#rest.add(this.#text.slice(this.#at));
        this.#text = '';
        this.#at = 0;
        return undefined;
      }
      const line = this.#rest.take() + this.#text.slice(this.#at, end);
      this.#at = end + 1;
      const event = this.#takeLine(line);
      if (event === undefined) continue;
      this.#isLast = false;
      return event;
    }
  }

  /** Whether `expectAgain` has an effect for the event returned last. */
  canExpect(): boolean {
    return this.#start >= 0 && this.#misses <= maxMisses;
  }

  /**
   * Describes the event returned last. Events directly after it that differ only in their text are returned as `again`
   * instead of being decoded.
   */
  expectAgain(event: TextEvent): void {
    if (!this.canExpect()) return;
    this.#isLast = true;
    const frame = this.#text.slice(this.#start, this.#at);
    if (this.#repeated?.find(frame, 0) === frame.length) return;
    this.#misses += 1;
    this.#repeated = this.#misses > maxMisses ? undefined : repeatedEvent(frame, event);
  }

  /** Whether the decoder is between two events. */
  #isBetween(): boolean {
    return this.#rest.isEmpty && this.#data === undefined && this.#name === undefined;
  }

  #matchAgain(): ServerSentEvent | undefined {
    const repeated = this.#isLast ? this.#repeated : undefined;
    if (repeated === undefined) return undefined;
    const end = repeated.find(this.#text, this.#at);
    if (end < 0) return undefined;
    this.#at = end;
    this.#misses = 0;
    return { type: 'again', of: repeated.event, text: repeated.text };
  }

  #field(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const key = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (key === 'event') this.#name = value;
    else if (key !== 'data') return;
    else if (this.#data === undefined) this.#data = value;
    else this.#addData(value);
  }

  #addData(value: string): void {
    this.#moreData ??= [];
    this.#moreData.push(value);
    checkCount(this.#moreData.length, 'lines in one event');
  }

  /** Handles a line; the blank one that ends an event returns it. */
  #takeLine(line: string): ServerSentEvent | undefined {
    if (line !== '') {
      this.#field(line);
      return undefined;
    }
    const name = this.#name;
    const first = this.#data;
    const more = this.#moreData;
    this.#name = undefined;
    this.#data = undefined;
    this.#moreData = undefined;
    if (first === undefined) return undefined;
    const data = more === undefined ? first : [first, ...more].join('\n');
    return decodeData(name, data, this.#maxBytes);
  }

  /** Replaces all line endings with line feeds. */
  #withLineFeeds(chunk: string): string {
    const text = this.#isHalfBreak && chunk.startsWith('\n') ? chunk.slice(1) : chunk;
    this.#isHalfBreak = chunk.endsWith('\r');
    return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
  }
}

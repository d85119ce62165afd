import { checkCount, defaultMaxAnswerBytes } from '../answer-bound.ts';
import { TextCollector } from '../body/collectors.ts';
import { parseJson } from '../body/parse-json.ts';
import { type RepeatedEvent, repeatedEvent, type TextEvent } from './event-template.ts';

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

/** Decodes one stream chunk by chunk. */
export interface EventDecoder {
  /** Takes the next chunk, after `next` has returned all events of the previous one. */
  take(chunk: string): void;
  /** Takes the last chunk. `next` then also returns an unfinished event. */
  end(chunk: string): void;
  /** The next complete event. */
  next(): ServerSentEvent | undefined;
  /** Whether `expectAgain` has an effect for the event returned last. */
  canExpect(): boolean;
  /**
   * Describes the event returned last. Events directly after it that differ only in their text are returned as `again`
   * instead of being decoded.
   */
  expectAgain(event: TextEvent): void;
}

/** `undefined` when there is only white space. */
function decodeData(
  name: string | undefined,
  text: string,
  maxBytes: number,
): ServerSentEvent | undefined {
  if (text === '[DONE]') return { type: 'done' };
  const data = parseJson(text, maxBytes);
  if (data !== undefined) return { type: 'event', name, data };
  const word = text.trim();
  if (word === '') return undefined;
  return { type: word === '[DONE]' ? 'done' : 'malformed' };
}

/** Stops expecting repetitions after this many that did not come. */
const maxMisses = 3;

/** See {@link createEventDecoder}. A class takes less memory than closures, and there may be thousands at a time. */
class TextEventDecoder implements EventDecoder {
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

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  take(chunk: string): void {
    if (chunk === '') return;
    this.#text = this.#withLineFeeds(chunk);
    this.#at = 0;
    this.#start = -1;
  }

  end(chunk: string): void {
    this.take(`${chunk}\n\n`);
  }

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

  canExpect(): boolean {
    return this.#start >= 0 && this.#misses <= maxMisses;
  }

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

/**
 * Creates a decoder of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): accepts any
 * line ending, ignores comments and joins several `data` lines. Two differences to the standard, because vendors need
 * them: the last event may lack its blank line, and an empty `data` is skipped. Terminal markers are left to the wire.
 * `maxBytes` limits the parsed size of an event; the body's size is limited by its reader.
 */
export function createEventDecoder(maxBytes: number = defaultMaxAnswerBytes): EventDecoder {
  return new TextEventDecoder(maxBytes);
}

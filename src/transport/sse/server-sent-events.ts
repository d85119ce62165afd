import { checkCount, defaultMaxAnswerBytes } from '../answer-bound.ts';
import { TextCollector } from '../body/collectors.ts';
import { parseJson } from '../body/parse-json.ts';
import { type RepeatedEvent, repeatedEvent, type TextEvent } from './event-template.ts';

/** One event of a server-sent event stream, its data already decoded. */
export type ServerSentEvent =
  | {
      readonly type: 'event';
      readonly name: string | undefined;
      readonly data: unknown;
    }
  /** The event told before this one, with another text: see {@link EventDecoder.expectAgain}. */
  | { readonly type: 'again'; readonly of: TextEvent; readonly text: string }
  /** Data that is not JSON: the caller skips and reports it, or gives up. */
  | { readonly type: 'malformed' }
  /** OpenAI's `[DONE]`. */
  | { readonly type: 'done' };

/** Decodes one stream, piece by piece. */
export interface EventDecoder {
  /** Takes the next piece, once `next` has told all of the one before. */
  take(piece: string): void;
  /** Takes the last piece: `next` tells an unfinished event as well. */
  end(piece: string): void;
  /** The next event that is whole. */
  next(): ServerSentEvent | undefined;
  /** Whether it is worth while to find out what the event told last was, for `expectAgain`. */
  canExpect(): boolean;
  /**
   * Says what the event told last was. Those right behind it that differ from it only in their text are then told
   * as `again`.
   */
  expectAgain(event: TextEvent): void;
}

/** `undefined` for nothing but white space. */
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

/** After so many in a row that were expected again and did not come, no more are. */
const maxExpected = 3;

/** See {@link createEventDecoder}. A class: there may be thousands at a time, and closures would be one set for each. */
class TextEventDecoder implements EventDecoder {
  /** The piece under way, where its next line begins, and where the event does, if it does so in this piece. */
  #text = '';
  #at = 0;
  #start = -1;
  /** The beginning of a line, from pieces before. */
  readonly #rest = new TextCollector();
  /** The last piece ended with a carriage return: a line feed that comes next belongs to it. */
  #isHalfBreak = false;
  #name: string | undefined;
  /** What the `data` lines say; `undefined` until there is one. The second and all others are in `#moreData`. */
  #data: string | undefined;
  #moreData: string[] | undefined;
  /** How the text event told last looks with other texts. */
  #repeated: RepeatedEvent | undefined;
  /** Whether it is the event told last: behind another one, what it says besides its text may mean something. */
  #isLast = false;
  /** How many events have been expected in vain. */
  #expected = 0;

  readonly #maxBytes: number;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  take(piece: string): void {
    if (piece === '') return;
    this.#text = this.#withLineFeeds(piece);
    this.#at = 0;
    this.#start = -1;
  }

  end(piece: string): void {
    this.take(`${piece}\n\n`);
  }

  next(): ServerSentEvent | undefined {
    for (;;) {
      if (this.#isBetween()) {
        this.#start = this.#at;
        const again = this.#again();
        if (again !== undefined) return again;
      }
      // Only the piece is searched: a line that comes in a thousand pieces is put together once.
      const end = this.#text.indexOf('\n', this.#at);
      if (end < 0) {
        this.#rest.add(this.#text.slice(this.#at));
        this.#text = '';
        this.#at = 0;
        return undefined;
      }
      const line = this.#rest.take() + this.#text.slice(this.#at, end);
      this.#at = end + 1;
      const event = this.#take(line);
      if (event === undefined) continue;
      this.#isLast = false;
      return event;
    }
  }

  canExpect(): boolean {
    return this.#start >= 0 && this.#expected <= maxExpected;
  }

  expectAgain(event: TextEvent): void {
    if (!this.canExpect()) return;
    this.#isLast = true;
    const frame = this.#text.slice(this.#start, this.#at);
    if (this.#repeated?.find(frame, 0) === frame.length) return;
    this.#expected += 1;
    this.#repeated = this.#expected > maxExpected ? undefined : repeatedEvent(frame, event);
  }

  /** Whether nothing of an event is there yet. */
  #isBetween(): boolean {
    return this.#rest.isEmpty && this.#data === undefined && this.#name === undefined;
  }

  #again(): ServerSentEvent | undefined {
    const repeated = this.#isLast ? this.#repeated : undefined;
    if (repeated === undefined) return undefined;
    const end = repeated.find(this.#text, this.#at);
    if (end < 0) return undefined;
    this.#at = end;
    this.#expected = 0;
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

  /** A line, or the blank one that ends an event. */
  #take(line: string): ServerSentEvent | undefined {
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

  /** The piece with line feeds for all line endings. */
  #withLineFeeds(piece: string): string {
    const text = this.#isHalfBreak && piece.startsWith('\n') ? piece.slice(1) : piece;
    this.#isHalfBreak = piece.endsWith('\r');
    return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
  }
}

/**
 * A decoder of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): any line
 * ending, comments ignored, several `data` lines joined. Two departures, both because vendors do it: an event
 * that the end of the stream leaves without its blank line is still told, and an empty `data` is skipped. Knows
 * no terminal marker: that is the wire's business. `maxBytes` bounds what an event takes once it is parsed; the body is
 * bounded by whoever reads it.
 */
export function createEventDecoder(maxBytes: number = defaultMaxAnswerBytes): EventDecoder {
  return new TextEventDecoder(maxBytes);
}

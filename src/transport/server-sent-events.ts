/** One event of a server-sent event stream, its data already decoded. */
export type ServerSentEvent =
  | {
      readonly type: 'event';
      readonly name: string | undefined;
      readonly data: unknown;
    }
  /** Data that is not JSON: the caller skips and reports it, or gives up. */
  | { readonly type: 'malformed' }
  /** OpenAI's `[DONE]`. */
  | { readonly type: 'done' };

/** Decodes one stream, piece by piece. */
export interface EventDecoder {
  /** The events that the piece completes. */
  decode(piece: string): readonly ServerSentEvent[];
  /** What the end of the stream completes. */
  end(): readonly ServerSentEvent[];
}

/** `undefined` for nothing but white space. */
function decodeData(name: string | undefined, data: string): ServerSentEvent | undefined {
  if (data === '[DONE]') return { type: 'done' };
  try {
    return { type: 'event', name, data: JSON.parse(data) };
  } catch {
    const word = data.trim();
    if (word === '') return undefined;
    return { type: word === '[DONE]' ? 'done' : 'malformed' };
  }
}

/** See {@link createEventDecoder}. A class: there may be thousands at a time, and closures would be one set for each. */
class TextEventDecoder implements EventDecoder {
  /** The line under way. */
  #rest = '';
  /** The last piece ended with a carriage return: a line feed that comes next belongs to it. */
  #isHalfBreak = false;
  #name: string | undefined;
  /** `undefined` until there is a `data` line. */
  #data: string | undefined;

  decode(piece: string): readonly ServerSentEvent[] {
    const events: ServerSentEvent[] = [];
    if (piece === '') return events;
    const text = this.#withLineFeeds(piece);
    let start = 0;
    // Only the piece is searched: a line that comes in a thousand pieces is put together once.
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
      this.#take(this.#rest + text.slice(start, end), events);
      this.#rest = '';
      start = end + 1;
    }
    this.#rest += text.slice(start);
    return events;
  }

  end(): readonly ServerSentEvent[] {
    const events: ServerSentEvent[] = [];
    if (this.#rest !== '') this.#take(this.#rest, events);
    this.#rest = '';
    this.#take('', events);
    return events;
  }

  #field(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const key = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (key === 'data') this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
    else if (key === 'event') this.#name = value;
  }

  /** A line, or the blank one that ends an event. */
  #take(line: string, events: ServerSentEvent[]): void {
    if (line !== '') {
      this.#field(line);
      return;
    }
    const event = this.#data === undefined ? undefined : decodeData(this.#name, this.#data);
    if (event !== undefined) events.push(event);
    this.#name = undefined;
    this.#data = undefined;
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
 * no terminal marker: that is the wire's business.
 */
export function createEventDecoder(): EventDecoder {
  return new TextEventDecoder();
}

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

function decodeData(name: string | undefined, data: string): ServerSentEvent {
  if (data.trim() === '[DONE]') return { type: 'done' };
  try {
    return { type: 'event', name, data: JSON.parse(data) };
  } catch {
    return { type: 'malformed' };
  }
}

/**
 * A decoder of server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): any line
 * ending, comments ignored, several `data` lines joined. Two departures, both because vendors do it: an event
 * that the end of the stream leaves without its blank line is still told, and an empty `data` is skipped. Knows
 * no terminal marker: that is the wire's business.
 */
export function createEventDecoder(): EventDecoder {
  /** The line under way. */
  let rest = '';
  /** The last piece ended with a carriage return: a line feed that comes next belongs to it. */
  let isHalfBreak = false;
  let name: string | undefined;
  /** `undefined` until there is a `data` line. */
  let data: string | undefined;

  function field(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const key = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (key === 'data') data = data === undefined ? value : `${data}\n${value}`;
    else if (key === 'event') name = value;
  }

  /** A line, or the blank one that ends an event. */
  function take(line: string, events: ServerSentEvent[]): void {
    if (line !== '') {
      field(line);
      return;
    }
    if (data !== undefined && data.trim() !== '') events.push(decodeData(name, data));
    name = undefined;
    data = undefined;
  }

  /** The piece with line feeds for all line endings. */
  function withLineFeeds(piece: string): string {
    const text = isHalfBreak && piece.startsWith('\n') ? piece.slice(1) : piece;
    isHalfBreak = piece.endsWith('\r');
    return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
  }

  return {
    decode(piece) {
      const events: ServerSentEvent[] = [];
      if (piece === '') return events;
      const text = withLineFeeds(piece);
      let start = 0;
      // Only the piece is searched: a line that comes in a thousand pieces is put together once.
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', start)) {
        take(rest + text.slice(start, end), events);
        rest = '';
        start = end + 1;
      }
      rest += text.slice(start);
      return events;
    },
    end() {
      const events: ServerSentEvent[] = [];
      if (rest !== '') take(rest, events);
      rest = '';
      take('', events);
      return events;
    },
  };
}

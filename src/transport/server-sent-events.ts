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

function decode(name: string | undefined, data: string): ServerSentEvent {
  if (data.trim() === '[DONE]') return { type: 'done' };
  try {
    return { type: 'event', name, data: JSON.parse(data) };
  } catch {
    return { type: 'malformed' };
  }
}

/**
 * Decodes a server-sent event stream (https://html.spec.whatwg.org/multipage/server-sent-events.html):
 * any line ending, comments ignored, several `data` lines joined. Two departures, both because vendors
 * do it: an event that the end of the stream leaves without its blank line is still told, and an empty
 * `data` is skipped. Knows no terminal marker: that is the wire's business.
 */
export async function* decodeServerSentEvents(
  chunks: AsyncIterable<string>,
): AsyncGenerator<ServerSentEvent, void> {
  let rest = '';
  let name: string | undefined;
  let data: string[] = [];

  function* take(line: string): Generator<ServerSentEvent> {
    if (line === '') {
      if (data.length > 0 && data.some((each) => each !== '')) yield decode(name, data.join('\n'));
      name = undefined;
      data = [];
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') data.push(value);
    else if (field === 'event') name = value;
  }

  for await (const chunk of chunks) {
    const text = rest + chunk;
    let start = 0;
    for (let at = 0; at < text.length; at++) {
      const character = text.charCodeAt(at);
      if (character !== 10 && character !== 13) continue;
      // A carriage return at the very end may be half of a CRLF: it waits for the next chunk.
      if (character === 13 && at === text.length - 1) break;
      yield* take(text.slice(start, at));
      if (character === 13 && text.charCodeAt(at + 1) === 10) at++;
      start = at + 1;
    }
    rest = text.slice(start);
  }
  if (rest !== '') yield* take(rest.replace(/\r$/, ''));
  yield* take('');
}

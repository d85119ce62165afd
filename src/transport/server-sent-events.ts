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
  /** The last chunk ended with a carriage return: a line feed that comes next belongs to it. */
  let halfBreak = false;
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
    if (chunk === '') continue;
    let start = halfBreak && chunk.charCodeAt(0) === 10 ? 1 : 0;
    for (let at = start; at < chunk.length; at++) {
      const character = chunk.charCodeAt(at);
      if (character !== 10 && character !== 13) continue;
      yield* take(rest + chunk.slice(start, at));
      rest = '';
      if (character === 13 && chunk.charCodeAt(at + 1) === 10) at++;
      start = at + 1;
    }
    rest += chunk.slice(start);
    halfBreak = chunk.endsWith('\r');
  }
  if (rest !== '') yield* take(rest);
  yield* take('');
}

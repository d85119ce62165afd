import { systemRuntime } from '../../runtime.ts';
import type { EventSource, Exchange, Reply } from './exchange.ts';

/** A request of the web's type. */
export function toExchange(request: Request): Exchange {
  const { method, headers, signal, url } = request;
  return {
    method,
    path: new URL(url).pathname,
    header: (name) => headers.get(name) ?? undefined,
    // A web stream can be iterated in Node; the types of the DOM do not know.
    body: () => (request.body ?? []) as unknown as AsyncIterable<Uint8Array>,
    signal,
    toRequest: () => new Request(url, { method, headers, signal }),
  };
}

/** The events as a stream of bytes, with comments while there are none. */
function toStream(events: EventSource): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let isSilent = true;
  let cancelAlarm: () => void = () => undefined;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const ring = (): void => {
          // A client that does not read needs no comments.
          const isRead = (controller.desiredSize ?? 0) >= 0;
          if (isSilent && isRead) controller.enqueue(encoder.encode(events.heartbeat));
          isSilent = true;
          cancelAlarm = systemRuntime.alarm(events.heartbeatMs, ring);
        };
        cancelAlarm = systemRuntime.alarm(events.heartbeatMs, ring);
      },
      async pull(controller) {
        const text = await events.next();
        isSilent = false;
        if (text !== undefined) return controller.enqueue(encoder.encode(text));
        cancelAlarm();
        controller.close();
      },
      cancel() {
        cancelAlarm();
        events.cancel();
      },
    },
    // Nothing is pulled before the first read.
    { highWaterMark: 0 },
  );
}

export function toResponse({ status, headers, body }: Reply): Response {
  return new Response(typeof body === 'string' ? body : toStream(body), { status, headers });
}

import type { ProviderPart } from '../../protocol/stream-part.ts';
import { interruptedError } from '../../transport/network-error.ts';
import type { Reply } from '../../transport/read-reply.ts';
import type { ServerSentEvent } from '../../transport/server-sent-events.ts';

/** An event that the wire understands, or OpenAI's `[DONE]`. */
export type JsonEvent = Exclude<ServerSentEvent, { type: 'malformed' }>;

/** More than one undecodable event is not a glitch but a broken stream. */
const maxMalformedEvents = 1;

/**
 * Reads a stream of events through `read`. One undecodable event is skipped and told as a warning, in the
 * hope that the rest is whole; a second one ends the answer. Stops reading when the wire's terminal
 * marker has come, without waiting for the vendor to hang up.
 */
export async function* readJsonEvents(
  reply: Extract<Reply, { kind: 'events' }>,
  read: (event: JsonEvent) => Iterable<ProviderPart>,
  isComplete: () => boolean,
): AsyncGenerator<ProviderPart, void> {
  let malformed = 0;
  for await (const events of reply.events) {
    for (const event of events) {
      if (event.type === 'malformed') {
        if (++malformed > maxMalformedEvents) throw interruptedError('its events are not JSON');
        yield {
          type: 'warning',
          warning: {
            code: 'malformed-event',
            message: 'one event of the stream was not JSON and was skipped',
          },
        };
        continue;
      }
      for (const part of read(event)) yield part;
      if (!isComplete()) continue;
      reply.complete();
      return;
    }
  }
}

import type { SignalboxError } from '../../errors.ts';
import type { AttemptContext } from '../../protocol/provider.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { AnswerHeaders } from '../../transport/answer.ts';
import { interruptedError } from '../../transport/network-error.ts';
import type { Refusal, Reply } from '../../transport/read-reply.ts';
import type { ServerSentEvent } from '../../transport/server-sent-events.ts';
import type { Tell } from './part-assembler.ts';

/** What is known of an answer before any of it is read. */
export type AnswerFacts = {
  readonly headers: AnswerHeaders;
  readonly requestId: string | undefined;
  /** Takes the parts. */
  readonly tell: Tell;
};

/** Reads one answer of a wire, as events or as one body, and tells its parts. */
export interface AnswerReader {
  readEvent(data: unknown): void;
  /** OpenAI's `[DONE]` has come. */
  readDone?(): void;
  /** @throws SignalboxError `invalid_response` when the body is no answer of this wire */
  readBody(body: unknown): void;
  /** Whether anything of this wire has been seen. */
  isBegun(): boolean;
  /** Whether the terminal marker has come: nothing of interest follows. */
  isComplete(): boolean;
  /** Whether the vendor has said why it stopped; only then is the answer whole. */
  isEnded(): boolean;
  /** Whether a failure to read on takes nothing away from what has ended. */
  forgives(error: unknown): boolean;
  /** Tells the closing parts, with the vendor's own response if it is to be kept. */
  finish(raw: { readonly raw?: unknown }): void;
}

/** What the wires differ in. */
export type AnswerWire = {
  readonly open: (facts: AnswerFacts) => AnswerReader;
  readonly refused: (refusal: Refusal) => SignalboxError;
  /** Says that there were events, and none of this wire. */
  readonly odd: () => SignalboxError;
};

/** More than one undecodable event is not a glitch but a broken stream. */
const maxMalformedEvents = 1;

const malformedEvent: ProviderPart = {
  type: 'warning',
  warning: {
    code: 'malformed-event',
    message: 'one event of the stream was not JSON and was skipped',
  },
};

/** Parts on their way from a reader, which tells them, to whoever asks for them. */
function createOutbox() {
  let parts: ProviderPart[] = [];
  return {
    tell: (part: ProviderPart): void => void parts.push(part),
    take(): readonly ProviderPart[] {
      const taken = parts;
      parts = [];
      return taken;
    },
  };
}

/** What went wrong in `work`; the parts told before it still count. */
function failureIn(work: () => void): { readonly error: unknown } | undefined {
  try {
    work();
  } catch (error) {
    return { error };
  }
  return undefined;
}

/** Goes through the events of a stream, one after another, up to the terminal marker. */
function createEventReading(reader: AnswerReader, tell: Tell, keepRaw: boolean) {
  const raw: unknown[] = [];
  let malformed = 0;
  let isOdd = false;
  return {
    raw,
    isOdd: () => isOdd,
    read(events: readonly ServerSentEvent[]): void {
      for (const event of events) {
        if (event.type === 'malformed') {
          if (++malformed > maxMalformedEvents) throw interruptedError('its events are not JSON');
          tell(malformedEvent);
          continue;
        }
        if (event.type === 'done') reader.readDone?.();
        else {
          if (keepRaw) raw.push(event.data);
          reader.readEvent(event.data);
          isOdd = !reader.isBegun();
        }
        if (reader.isComplete()) return;
      }
    },
  };
}

/**
 * Asks, and tells the parts of the answer as they come. One undecodable event is skipped and told as a warning,
 * in the hope that the rest is whole; a second one ends the answer. Stops reading when the wire's terminal marker
 * has come, without waiting for the vendor to hang up.
 *
 * One generator for all wires and all events: generators are dear, those made anew for each answer most of all.
 */
export async function* readAnswer(
  context: AttemptContext,
  wire: AnswerWire,
  ask: (context: AttemptContext) => Promise<Reply>,
): AsyncGenerator<ProviderPart, void> {
  const reply = await ask(context);
  if (reply.kind === 'refusal') throw wire.refused(reply.refusal);
  const outbox = createOutbox();
  const { headers, requestId } = reply;
  const reader = wire.open({ headers, requestId, tell: outbox.tell });
  if (reply.kind === 'json') {
    const failure = failureIn(() => {
      reader.readBody(reply.body);
      reader.finish(context.keepRaw ? { raw: reply.body } : {});
    });
    for (const part of outbox.take()) yield part;
    if (failure !== undefined) throw failure.error;
    return;
  }
  const reading = createEventReading(reader, outbox.tell, context.keepRaw);
  try {
    for await (const events of reply.events) {
      const failure = failureIn(() => reading.read(events));
      for (const part of outbox.take()) yield part;
      if (failure !== undefined) throw failure.error;
      if (!reader.isComplete()) continue;
      reply.complete();
      break;
    }
  } catch (error) {
    // Whatever the cut looks like, an abort is an abort.
    context.signal.throwIfAborted();
    if (!reader.forgives(error)) throw error;
  }
  context.signal.throwIfAborted();
  if (reading.isOdd()) throw wire.odd();
  if (!reader.isEnded()) throw interruptedError('it ended without its terminal marker');
  reader.finish(context.keepRaw ? { raw: reading.raw } : {});
  for (const part of outbox.take()) yield part;
}

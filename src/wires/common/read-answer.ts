import type { SignalboxError } from '../../errors.ts';
import { nextValue } from '../../internal/read.ts';
import type { AttemptContext } from '../../protocol/provider.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { checkCount, maxAnswerParts } from '../../transport/answer-bound.ts';
import type { EventSource, HttpError, Reply } from '../../transport/body/read-reply.ts';
import type { AnswerHeaders } from '../../transport/body/response.ts';
import { interruptedError } from '../../transport/network-error.ts';
import type { TextEvent } from '../../transport/sse/event-template.ts';
import type { Tell } from './part-assembler.ts';
import { RawEvents } from './raw-events.ts';

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
  /** What the event read last was, if it did nothing but add to a text: see {@link TextEvent}. */
  textEvent?(data: unknown): TextEvent | undefined;
  /** It has come again, with another text. */
  readAgain?(event: TextEvent, text: string): void;
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
  /** Tells the closing parts; `raw` is the vendor's own response, where it is to be kept. */
  finish(raw: unknown): void;
}

/** What the wires differ in. */
export type AnswerWire = {
  readonly open: (facts: AnswerFacts) => AnswerReader;
  readonly refused: (refusal: HttpError) => SignalboxError;
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

/** The events of one answer on their way into its reader. */
class EventReading {
  readonly #context: AttemptContext;
  readonly #wire: AnswerWire;
  readonly #reader: AnswerReader;
  readonly #events: EventSource;
  readonly #addPart: Tell;
  readonly #raw: RawEvents;
  #malformed = 0;
  #isOdd = false;
  isOver = false;

  constructor(
    context: AttemptContext,
    wire: AnswerWire,
    reader: AnswerReader,
    events: EventSource,
    addPart: Tell,
  ) {
    this.#context = context;
    this.#wire = wire;
    this.#raw = new RawEvents(context.maxAnswerBytes);
    this.#reader = reader;
    this.#events = events;
    this.#addPart = addPart;
  }

  /** Waits for more bytes, and reads the events that they complete. */
  async readMore(): Promise<void> {
    let bytes: Uint8Array | undefined;
    try {
      bytes = await nextValue(() => this.#events.read());
    } catch (cause) {
      return this.#breakOff(this.#events.cut(cause));
    }
    this.#events.take(bytes);
    this.readEvents();
    if (bytes === undefined && !this.isOver) this.#end();
  }

  /** Reads the events that have arrived. */
  readEvents(): void {
    const reader = this.#reader;
    const events = this.#events;
    for (let event = events.next(); event !== undefined; event = events.next()) {
      if (event.type === 'again') reader.readAgain?.(event.of, event.text);
      else if (event.type === 'event') this.#readEvent(event.data);
      else if (event.type === 'done') reader.readDone?.();
      else this.#skip();
      if (!reader.isComplete()) continue;
      events.complete();
      this.#end();
      return;
    }
  }

  #readEvent(data: unknown): void {
    const { keepRaw } = this.#context;
    if (keepRaw) this.#raw.add(data);
    this.#reader.readEvent(data);
    this.#isOdd = !this.#reader.isBegun();
    if (keepRaw || !this.#events.canExpect()) return;
    const text = this.#reader.textEvent?.(data);
    if (text !== undefined) this.#events.expectAgain(text);
  }

  #skip(): void {
    if (++this.#malformed > maxMalformedEvents) throw interruptedError('its events are not JSON');
    this.#addPart(malformedEvent);
  }

  #breakOff(error: unknown): void {
    // Whatever the cut looks like, an abort is an abort.
    this.#context.signal.throwIfAborted();
    if (!this.#reader.forgives(error)) throw error;
    this.#end();
  }

  /** No more events come: the answer is whole, or it is none. */
  #end(): void {
    this.#context.signal.throwIfAborted();
    if (this.#isOdd) throw this.#wire.odd();
    if (!this.#reader.isEnded()) throw interruptedError('it ended without its terminal marker');
    this.#reader.finish(this.#context.keepRaw ? this.#raw.events : undefined);
    this.isOver = true;
  }
}

/**
 * Sends the request, and yields the parts of the answer as they arrive. One undecodable event is skipped, with a
 * warning, in the hope that the rest is whole; a second one ends the answer. Stops reading when the wire's terminal
 * marker has come, without waiting for the vendor to hang up. Parts that came before a failure are yielded before it
 * is thrown. Nothing happens before the first read.
 */
export async function* readAnswer(
  context: AttemptContext,
  wire: AnswerWire,
  ask: (context: AttemptContext) => Reply | Promise<Reply>,
): AsyncGenerator<readonly ProviderPart[], void> {
  const reply = await ask(context);
  if (reply.kind === 'http-error') throw wire.refused(reply.error);
  let batch: ProviderPart[] = [];
  const addPart = (part: ProviderPart): void =>
    checkCount(batch.push(part), 'parts', maxAnswerParts);
  const { headers, requestId } = reply;
  const reader = wire.open({ headers, requestId, tell: addPart });
  let failure: { readonly error: unknown } | undefined;
  if (reply.kind === 'json') {
    try {
      reader.readBody(reply.body);
      reader.finish(context.keepRaw ? reply.body : undefined);
    } catch (error) {
      failure = { error };
    }
    if (batch.length > 0) yield batch;
    if (failure !== undefined) throw failure.error;
    return;
  }
  const { events } = reply;
  const reading = new EventReading(context, wire, reader, events, addPart);
  try {
    let hasBegun = false;
    while (!reading.isOver && failure === undefined) {
      try {
        if (hasBegun) await reading.readMore();
        else reading.readEvents();
        hasBegun = true;
      } catch (error) {
        failure = { error };
      }
      if (batch.length > 0) yield batch;
      batch = [];
    }
    if (failure !== undefined) throw failure.error;
  } finally {
    events.leave();
  }
}

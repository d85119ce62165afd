import type { SignalboxError } from '../../errors.ts';
import type { AttemptContext, ReadyParts } from '../../protocol/provider.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { checkCount, maxAnswerParts } from '../../transport/answer-bound.ts';
import type { EventSource, Refusal, Reply } from '../../transport/body/read-reply.ts';
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

const over = { done: true, value: undefined } as const;

const left = Promise.resolve(over);

type Step = IteratorResult<ProviderPart, void>;

/** See {@link readAnswer}. A class that makes no promise for a piece: thousands of streams wait at a time. */
class AnswerParts implements AsyncIterableIterator<ProviderPart, void>, ReadyParts {
  readonly #context: AttemptContext;
  readonly #wire: AnswerWire;
  #ask: (() => Reply | Promise<Reply>) | undefined;
  #parts: ProviderPart[] = [];
  #at = 0;
  /** Thrown after the parts that were told before it. */
  #failure: { readonly error: unknown } | undefined;
  #isOver = false;
  /** Settles when the body has more, or is over. */
  #more: Promise<void> | undefined;
  #events: EventSource | undefined;
  #reader: AnswerReader | undefined;
  readonly #raw: RawEvents;
  #malformed = 0;
  #isOdd = false;

  constructor(context: AttemptContext, wire: AnswerWire, ask: () => Reply | Promise<Reply>) {
    this.#context = context;
    this.#wire = wire;
    this.#ask = ask;
    this.#raw = new RawEvents(context.maxAnswerBytes);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  ready(): ProviderPart | undefined {
    this.#more = undefined;
    for (;;) {
      const part = this.#parts[this.#at];
      if (part !== undefined) {
        this.#at += 1;
        return part;
      }
      if (this.#at > 0) this.#parts = [];
      this.#at = 0;
      const events = this.#events;
      if (events === undefined || this.#isOver || this.#failure !== undefined) return undefined;
      this.#readFrom(events);
      if (this.#more !== undefined) return undefined;
    }
  }

  more(): Promise<void> | undefined {
    return this.#more;
  }

  next(): Promise<IteratorResult<ProviderPart, void>> {
    try {
      const step = this.#step();
      return step instanceof Promise ? step : Promise.resolve(step);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  return(): Promise<IteratorResult<ProviderPart, void>> {
    this.#close();
    return left;
  }

  /** What comes next: a part or the end, or a promise of it; what failed is thrown after the parts before it. */
  #step(): Step | Promise<Step> {
    for (;;) {
      const value = this.ready();
      if (value !== undefined) return { done: false, value };
      if (this.#more !== undefined) return this.#more.then(this.#onMore);
      if (this.#failure !== undefined) {
        const { error } = this.#failure;
        this.#close();
        throw error;
      }
      const ask = this.#ask;
      if (this.#isOver || ask === undefined) return over;
      // It holds the whole request, which is not needed while the answer is read.
      this.#ask = undefined;
      const reply = ask();
      if (reply instanceof Promise) return reply.then(this.#onReply);
      this.#takeReply(reply);
    }
  }

  readonly #onReply = (reply: Reply): Step | Promise<Step> => {
    this.#takeReply(reply);
    return this.#step();
  };

  readonly #onMore = (): Step | Promise<Step> => this.#step();

  #readFrom(events: EventSource): void {
    let piece: ReturnType<EventSource['read']>;
    try {
      piece = events.read();
    } catch (cause) {
      this.#wasCut(cause);
      return;
    }
    if (piece instanceof Promise) this.#more = piece;
    else this.#takePiece(events, piece);
  }

  #takeReply(reply: Reply): void {
    if (reply.kind === 'refusal') {
      this.#failure = { error: this.#wire.refused(reply.refusal) };
      return;
    }
    const { headers, requestId } = reply;
    const tell: Tell = (part) => checkCount(this.#parts.push(part), 'parts', maxAnswerParts);
    const reader = this.#wire.open({ headers, requestId, tell });
    this.#reader = reader;
    try {
      if (reply.kind === 'events') {
        this.#events = reply.events;
        this.#readEvents(reply.events);
        return;
      }
      reader.readBody(reply.body);
      reader.finish(this.#context.keepRaw ? reply.body : undefined);
      this.#isOver = true;
    } catch (error) {
      this.#failure = { error };
    }
  }

  #takePiece(events: EventSource, piece: Uint8Array | undefined): void {
    try {
      events.take(piece);
      this.#readEvents(events);
      if (piece === undefined && !this.#isOver) this.#end();
    } catch (error) {
      this.#failure = { error };
    }
  }

  #wasCut(cause: unknown): void {
    try {
      this.#brokeOff(this.#events?.cut(cause));
    } catch (error) {
      this.#failure = { error };
    }
  }

  #readEvents(events: EventSource): void {
    const reader = this.#reader;
    if (reader === undefined) return;
    for (let event = events.next(); event !== undefined; event = events.next()) {
      if (event.type === 'again') reader.readAgain?.(event.of, event.text);
      else if (event.type === 'event') this.#readEvent(event.data, reader, events);
      else if (event.type === 'done') reader.readDone?.();
      else this.#skip();
      if (!reader.isComplete()) continue;
      events.complete();
      this.#end();
      return;
    }
  }

  #readEvent(data: unknown, reader: AnswerReader, events: EventSource): void {
    const { keepRaw } = this.#context;
    if (keepRaw) this.#raw.add(data);
    reader.readEvent(data);
    this.#isOdd = !reader.isBegun();
    if (keepRaw || !events.canExpect()) return;
    const text = reader.textEvent?.(data);
    if (text !== undefined) events.expectAgain(text);
  }

  #skip(): void {
    if (++this.#malformed > maxMalformedEvents) throw interruptedError('its events are not JSON');
    this.#parts.push(malformedEvent);
  }

  #brokeOff(error: unknown): void {
    // Whatever the cut looks like, an abort is an abort.
    this.#context.signal.throwIfAborted();
    if (this.#reader?.forgives(error) !== true) throw error;
    this.#end();
  }

  /** No more events come: the answer is whole, or it is none. */
  #end(): void {
    this.#events?.leave();
    this.#context.signal.throwIfAborted();
    if (this.#isOdd) throw this.#wire.odd();
    if (this.#reader?.isEnded() !== true) {
      throw interruptedError('it ended without its terminal marker');
    }
    this.#reader.finish(this.#context.keepRaw ? this.#raw.events : undefined);
    this.#isOver = true;
  }

  #close(): void {
    this.#events?.leave();
    this.#failure = undefined;
    this.#ask = undefined;
    this.#isOver = true;
  }
}

/**
 * Asks, and tells the parts of the answer as they come. One undecodable event is skipped and told as a warning,
 * in the hope that the rest is whole; a second one ends the answer. Stops reading when the wire's terminal marker
 * has come, without waiting for the vendor to hang up. Nothing happens before the first read.
 */
export function readAnswer(
  context: AttemptContext,
  wire: AnswerWire,
  ask: (context: AttemptContext) => Reply | Promise<Reply>,
): AsyncIterableIterator<ProviderPart, void> {
  return new AnswerParts(context, wire, () => ask(context));
}

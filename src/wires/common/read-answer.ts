import type { SignalboxError } from '../../errors.ts';
import { nextValue } from '../../internal/read.ts';
import { shallowJson } from '../../internal/vendor-data.ts';
import type { FinishReason } from '../../protocol/completion.ts';
import type { Json } from '../../protocol/json.ts';
import type { Citation, Opaque, Part } from '../../protocol/message.ts';
import type { AttemptContext } from '../../protocol/provider.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { AnswerHeaders } from '../../transport/answer.ts';
import { checkCount, maxAnswerParts, RawEvents } from '../../transport/answer-bound.ts';
import { interruptedError } from '../../transport/network-error.ts';
import type { AnswerEvents, HttpError, Reply } from '../../transport/read-reply.ts';
import type { TextEvent } from '../../transport/server-sent-events.ts';
import { type Shape, ShapeCheck } from './read.ts';
import { ToolInput } from './tool-input.ts';

/** The fields of a citation except `raw`; unknown ones are `undefined`. */
type CitationFields = {
  readonly [Name in keyof Omit<Citation, 'raw'>]?: Citation[Name] | undefined;
};

/** Builds a citation and leaves out the unknown fields. */
export function citation(fields: CitationFields, raw: unknown): Citation {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined);
  // Deeply nested JSON can be parsed but not serialised again, so it is replaced with null.
  return { ...Object.fromEntries(known), raw: (shallowJson(raw) ?? null) as Json };
}

/** Resolves a citation when the whole text is known. Vendors give byte offsets, or only quote the supported text. */
export type ResolveCitation = (text: string) => Citation | undefined;

/** Receives the parts of an answer one by one, in order. */
export type AddPart = (part: ProviderPart) => void;

type Building =
  | {
      readonly type: 'text' | 'reasoning' | 'refusal';
      text: string;
      opaque?: Opaque;
      readonly citations: ResolveCitation[];
    }
  | {
      readonly type: 'tool-call';
      readonly id: string;
      readonly name: string;
      readonly input: ToolInput;
      opaque?: Opaque;
    };

type BuildingText = Exclude<Building, { type: 'tool-call' }>;

function finishedText(building: BuildingText): Part {
  const { type, text } = building;
  const opaque = building.opaque === undefined ? {} : { opaque: building.opaque };
  const citations = building.citations.flatMap((cite) => cite(text) ?? []);
  if (type !== 'text' || citations.length === 0) return { type, text, ...opaque };
  return { type, text, citations, ...opaque };
}

function isVisibleText(building: Building): boolean {
  return building.type === 'text' || building.type === 'refusal';
}

/**
 * The finish reason of an answer with this many tool calls. Vendors report calls under other reasons, and report
 * calls where there are none.
 */
export function finishWithCalls(reason: FinishReason, calls: number): FinishReason {
  if (calls === 0) return reason === 'tool_calls' ? 'stop' : reason;
  return reason === 'stop' || reason === 'other' ? 'tool_calls' : reason;
}

/**
 * Turns a wire's deltas into provider parts. Emits each delta as it arrives, and the whole part when its slot is
 * closed. The wire names the slots (a content index, the index of a tool call). Texts are emitted whole in the order of
 * their deltas, so that the deltas joined are the text of the answer.
 */
export class PartAssembler {
  readonly #addPart: AddPart;
  readonly #open = new Map<string, Building>();
  /** The ids of the tool calls, and how often the vendor gave each. */
  readonly #ids = new Map<string, number>();
  /** The slots with visible text, in the order of their opening. */
  readonly #texts = new Set<string>();
  #latestText: string | undefined;
  #started = 0;
  #cited = 0;

  constructor(addPart: AddPart) {
    this.#addPart = addPart;
  }

  /** Appends to the text in a slot, and opens the slot if it is new. A refusal is emitted as text deltas. */
  text(slot: string, type: 'text' | 'reasoning' | 'refusal', delta: string): void {
    let building = this.#open.get(slot);
    const isOlder = slot !== this.#latestText && building !== undefined && isVisibleText(building);
    if (isOlder && delta !== '') {
      this.#closeTexts();
      building = undefined;
    }
    if (building === undefined || building.type === 'tool-call') {
      building = { type, text: '', citations: [] };
      this.#begin(slot, building);
      if (isVisibleText(building)) {
        this.#texts.add(slot);
        this.#latestText = slot;
      }
    }
    if (delta === '') return;
    building.text += delta;
    if (type === 'refusal') this.#addPart({ type: 'text-delta', delta, refusal: true });
    else this.#addPart({ type: type === 'reasoning' ? 'reasoning-delta' : 'text-delta', delta });
  }

  /**
   * Appends what the text in a slot lacks of the vendor's whole text. Text lost in the middle stays lost, because the
   * deltas after it have been emitted.
   */
  wholeText(slot: string, type: 'text' | 'reasoning' | 'refusal', whole: string): void {
    const building = this.#open.get(slot);
    if (building?.type !== type || !whole.startsWith(building.text)) return;
    this.text(slot, type, whole.slice(building.text.length));
  }

  /** Opens a tool call. Its id is changed if another call of the answer has it. */
  toolCall(slot: string, id: string, name: string): void {
    const uniqueId = this.#uniqueId(id);
    const input = new ToolInput();
    this.#begin(slot, { type: 'tool-call', id: uniqueId, name, input });
    this.#addPart({ type: 'tool-call-start', id: uniqueId, name });
  }

  toolInput(slot: string, piece: string): void {
    const building = this.#open.get(slot);
    if (building?.type !== 'tool-call' || piece === '') return;
    this.#addInput(building.id, building.input.add(piece));
  }

  /** The arguments in a slot, if it is an open tool call. */
  inputOf(slot: string): ToolInput | undefined {
    const building = this.#open.get(slot);
    return building?.type === 'tool-call' ? building.input : undefined;
  }

  /** Attaches replay data to the part in the slot. */
  opaque(slot: string, opaque: Opaque): void {
    const building = this.#open.get(slot);
    if (building !== undefined) building.opaque = opaque;
  }

  /** Adds a citation to the text in the slot. It is dropped if the slot has no open text. */
  cite(slot: string, cite: ResolveCitation): void {
    const building = this.#open.get(slot);
    if (building?.type !== 'text') return;
    building.citations.push(cite);
    checkCount(++this.#cited, 'citations');
  }

  has(slot: string): boolean {
    return this.#open.has(slot);
  }

  /** Removes an open text, and returns it. Its deltas have been emitted. */
  discard(slot: string): string {
    const building = this.#open.get(slot);
    if (building === undefined || building.type === 'tool-call') return '';
    this.#open.delete(slot);
    this.#texts.delete(slot);
    return building.text;
  }

  close(slot: string): void {
    const building = this.#open.get(slot);
    if (building === undefined) return;
    if (isVisibleText(building)) this.#closeTexts(slot);
    this.#finish(slot, building);
  }

  closeAll(): void {
    for (const [slot, building] of [...this.#open]) this.#finish(slot, building);
  }

  #finish(slot: string, building: Building): void {
    this.#open.delete(slot);
    this.#texts.delete(slot);
    if (building.type !== 'tool-call') {
      if (building.text === '' && building.opaque === undefined) return;
      this.#addPart({ type: 'part-end', part: finishedText(building) });
      return;
    }
    const { id, name, input, opaque } = building;
    const { parsed, delta } = input.end();
    this.#addInput(id, delta);
    const part = { type: 'tool-call', id, name, ...parsed } as const;
    this.#addPart({ type: 'part-end', part: opaque === undefined ? part : { ...part, opaque } });
  }

  #addInput(id: string, delta: string): void {
    if (delta !== '') this.#addPart({ type: 'tool-call-delta', id, delta });
  }

  /** Closes the visible texts that were opened before `slot`, or all. */
  #closeTexts(slot?: string): void {
    for (const each of this.#texts) {
      if (each === slot) return;
      const building = this.#open.get(each);
      if (building !== undefined) this.#finish(each, building);
    }
  }

  #uniqueId(id: string): string {
    let count = this.#ids.get(id) ?? 0;
    let unique = count === 0 ? id : `${id}_${++count}`;
    while (this.#ids.has(unique)) unique = `${id}_${++count}`;
    this.#ids.set(id, Math.max(count, 1));
    this.#ids.set(unique, this.#ids.get(unique) ?? 1);
    return unique;
  }

  #begin(slot: string, building: Building): void {
    // Some servers number all parts the same and do not end them.
    this.close(slot);
    this.#open.set(slot, building);
    checkCount(++this.#started, 'parts');
  }
}

/** The target that produced an answer, recorded in its replay data. */
export type AnswerOrigin = {
  readonly provider: string;
  readonly model: string;
  /** The pool's key that replay data is bound to, on wires where it is. */
  readonly key?: number;
};

/** What an answer reader gets before it reads the answer. */
export type AnswerContext = {
  readonly headers: AnswerHeaders;
  readonly requestId: string | undefined;
  /** Index of the pool's key that the request was sent with. */
  readonly key?: number;
  /** Receives the parts. */
  readonly addPart: AddPart;
};

/** Reads one answer of a wire, as events or as one body, and emits its parts. */
export interface AnswerReader {
  readEvent(data: unknown): void;
  /** Describes the last event, if all it did was add to a text: see {@link TextEvent}. */
  textEvent?(data: unknown): TextEvent | undefined;
  /** Reads an event that differs from `event` only in its text. */
  readRepeat?(event: TextEvent, text: string): void;
  /** Called at OpenAI's `[DONE]`. */
  readDone?(): void;
  /** @throws SignalboxError `invalid_response` when the body is not an answer of this wire */
  readBody(body: unknown): void;
  /** Whether any event of this wire has been read. */
  hasStarted(): boolean;
  /** Whether the terminal marker has been read. Nothing of interest follows it. */
  isComplete(): boolean;
  /** Whether the stop reason has been read. Without it the answer is incomplete. */
  isEnded(): boolean;
  /** Whether the answer is complete in spite of this read error. */
  isCompleteDespite(error: unknown): boolean;
  /** Emits the closing parts. `raw` is the vendor's response, if it is kept. */
  finish(raw: unknown): void;
}

/** What differs between the wires. */
export type AnswerWire = {
  readonly open: (context: AnswerContext) => AnswerReader;
  readonly httpError: (error: HttpError) => SignalboxError;
  /** The error for an answer whose events do not belong to this wire. */
  readonly unrecognized: () => SignalboxError;
  /** The names that its events, and an answer in one piece, are known to have. */
  readonly shapes: { readonly event: Shape; readonly body: Shape };
};

/** A second undecodable event means that the stream is broken. */
const maxMalformedEvents = 1;

const malformedEvent: ProviderPart = {
  type: 'warning',
  warning: {
    code: 'malformed-event',
    message: 'one event of the stream was not JSON and was skipped',
  },
};

/** Passes the events of one answer to its reader. */
class EventReading {
  readonly #context: AttemptContext;
  readonly #wire: AnswerWire;
  readonly #reader: AnswerReader;
  readonly #events: AnswerEvents;
  readonly #addPart: AddPart;
  readonly #shape: ShapeCheck;
  readonly #raw: RawEvents;
  #malformed = 0;
  #isUnrecognized = false;
  isOver = false;

  constructor(
    context: AttemptContext,
    wire: AnswerWire,
    reader: AnswerReader,
    events: AnswerEvents,
    addPart: AddPart,
    shape: ShapeCheck,
  ) {
    this.#context = context;
    this.#wire = wire;
    this.#raw = new RawEvents(context.maxAnswerBytes);
    this.#reader = reader;
    this.#events = events;
    this.#addPart = addPart;
    this.#shape = shape;
  }

  /** Waits for more bytes and reads the events that they complete. */
  async readMore(): Promise<void> {
    let bytes: Uint8Array | undefined;
    try {
      bytes = await nextValue(() => this.#events.read());
    } catch (cause) {
      return this.#handleInterruption(this.#events.cut(cause));
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
      if (event.type === 'again') reader.readRepeat?.(event.of, event.text);
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
    this.#shape.check(data, this.#wire.shapes.event);
    this.#isUnrecognized = !this.#reader.hasStarted();
    if (keepRaw || !this.#events.canExpect()) return;
    const text = this.#reader.textEvent?.(data);
    if (text !== undefined) this.#events.expectAgain(text);
  }

  #skip(): void {
    if (++this.#malformed > maxMalformedEvents) throw interruptedError('its events are not JSON');
    this.#addPart(malformedEvent);
  }

  #handleInterruption(error: unknown): void {
    // An abort takes precedence over the read error it causes.
    this.#context.signal.throwIfAborted();
    if (!this.#reader.isCompleteDespite(error)) throw error;
    this.#end();
  }

  /** Finishes the answer, or throws when it is incomplete. */
  #end(): void {
    this.#context.signal.throwIfAborted();
    if (this.#isUnrecognized) throw this.#wire.unrecognized();
    if (!this.#reader.isEnded()) throw interruptedError('it ended without its terminal marker');
    this.#reader.finish(this.#context.keepRaw ? this.#raw.events : undefined);
    this.isOver = true;
  }
}

/**
 * Sends the request on the first read, and yields the parts of the answer as they arrive. Skips one undecodable event
 * with a warning; a second one fails the answer. Stops reading at the wire's terminal marker, without waiting for the
 * vendor to close the connection. Yields the parts received before an error, then throws it.
 */
export async function* readAnswer(
  context: AttemptContext,
  wire: AnswerWire,
  ask: (context: AttemptContext) => Reply | Promise<Reply>,
): AsyncGenerator<readonly ProviderPart[], void> {
  const reply = await ask(context);
  if (reply.kind === 'http-error') throw wire.httpError(reply.error);
  let batch: ProviderPart[] = [];
  const addPart = (part: ProviderPart): void =>
    checkCount(batch.push(part), 'parts', maxAnswerParts);
  const { headers, requestId } = reply;
  const { key } = context;
  const reader = wire.open({ headers, requestId, addPart, ...(key !== undefined && { key }) });
  const shape = new ShapeCheck(context.watch, headers);
  let failure: { readonly error: unknown } | undefined;
  if (reply.kind === 'json') {
    try {
      reader.readBody(reply.body);
      shape.check(reply.body, wire.shapes.body);
      reader.finish(context.keepRaw ? reply.body : undefined);
    } catch (error) {
      failure = { error };
    }
    if (batch.length > 0) yield batch;
    if (failure !== undefined) throw failure.error;
    return;
  }
  const { events } = reply;
  const reading = new EventReading(context, wire, reader, events, addPart, shape);
  try {
    let hasStarted = false;
    while (!reading.isOver && failure === undefined) {
      try {
        if (hasStarted) await reading.readMore();
        else reading.readEvents();
        hasStarted = true;
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

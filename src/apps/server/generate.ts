import type { Completion } from '../../protocol/completion.ts';
import type { StreamPart } from '../../protocol/stream-part.ts';
import { systemRuntime } from '../../runtime.ts';
import type {
  AnswerWriter,
  ClientRequest,
  PartToWrite,
  ServedWire,
} from '../../wires/common/serve.ts';
import type { Frame } from '../../wires/common/write.ts';
import { AnswerParts } from './answer-parts.ts';
import { type Ask, checkTier, exposed, jsonReply, turnOf } from './ask.ts';
import type { EventSource, Exchange, Reply } from './exchange.ts';
import { shownError } from './problems.ts';

const comment = ': keep-alive\n\n';

const eventHeaders = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  // nginx would hold events back.
  'x-accel-buffering': 'no',
};

function encode({ event, data }: Frame): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return event === undefined ? `data: ${text}\n\n` : `event: ${event}\ndata: ${text}\n\n`;
}

/** What is sent when there was no event for a time, and where facts of the answer go. */
type Surroundings = Pick<EventSource, 'heartbeat' | 'heartbeatMs'> & Pick<Exchange, 'note'>;

type Reader = AsyncIterator<StreamPart<Completion>, void>;

type Step = IteratorResult<StreamPart<Completion>, void>;

/** An answer as a wire's events, while it arrives. A failure is an event too. */
class AnswerEvents implements EventSource {
  readonly heartbeat: string;
  readonly heartbeatMs: number;
  readonly #reader: Reader;
  readonly #writer: AnswerWriter;
  readonly #note: Exchange['note'];
  readonly #parts = new AnswerParts();
  #first: Promise<Step> | undefined;
  #isOver = false;
  #hasBegun = false;

  constructor(reader: Reader, writer: AnswerWriter, first: Promise<Step>, around: Surroundings) {
    this.#reader = reader;
    this.#writer = writer;
    this.#first = first;
    this.heartbeat = around.heartbeat;
    this.heartbeatMs = around.heartbeatMs;
    this.#note = around.note;
  }

  async next(): Promise<string | undefined> {
    if (this.#isOver) return undefined;
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      return this.#encoded(this.#writer.start());
    }
    try {
      for (;;) {
        const step = await (this.#first ?? this.#reader.next());
        this.#first = undefined;
        if (this.#isOver) return undefined;
        const text = step.done === true ? this.#failed(undefined) : this.#read(step.value);
        if (text !== '') return text;
      }
    } catch (error) {
      this.cancel();
      return this.#failed(error);
    }
  }

  cancel(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // What it rejects with has no reader.
    this.#reader.return?.().catch(() => undefined);
  }

  #read(part: StreamPart<Completion>): string {
    let text = this.#written(this.#parts.of(part));
    if (part.type !== 'finish') return text;
    this.#isOver = true;
    this.#note?.({ target: part.completion.target });
    text += this.#written(this.#parts.rest(part.completion));
    return text + this.#encoded(this.#writer.finish(this.#parts.end(part.completion)));
  }

  #written(parts: readonly PartToWrite[]): string {
    let text = '';
    for (const part of parts) text += this.#encoded(this.#writer.write(part));
    return text;
  }

  #encoded(frames: readonly Frame[]): string {
    let text = '';
    for (const frame of frames) text += encode(frame);
    return text;
  }

  #failed(error: unknown): string {
    this.#isOver = true;
    const { error: shown } = shownError(error);
    this.#note?.({ failure: shown.kind });
    return this.#encoded(this.#writer.fail(shown));
  }
}

/** The call of a client's request. */
type Asked = ClientRequest & { readonly options: object };

/** Resolves when the first part has come, or after `ms`. Rejects if the call fails before. */
async function firstOrLate(first: Promise<unknown>, ms: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const cancel = systemRuntime.alarm(ms, late.resolve);
  try {
    await Promise.race([first, late.promise]);
  } finally {
    cancel();
  }
}

async function streamed(ask: Ask, wire: ServedWire, asked: Asked): Promise<Reply> {
  const { router, exchange, heartbeatMs } = ask;
  const { heartbeat = comment } = wire;
  const stream = router.stream(asked.model, asked.messages, {
    ...asked.options,
    tags: ask.tags,
    signal: exchange.signal,
  });
  const reader = stream[Symbol.asyncIterator]();
  const first = reader.next();
  // A proxy may give up on a response without headers. Then a failure is an event.
  await firstOrLate(first, heartbeatMs);
  first.catch(() => undefined);
  const writer = wire.writer(turnOf(ask, asked), { model: asked.model });
  const target = await Promise.race([first, undefined]);
  const shown = target?.value?.type === 'start' ? { target: target.value.target } : {};
  return {
    status: 200,
    headers: { ...eventHeaders, ...exposed(ask, shown) },
    body: new AnswerEvents(reader, writer, first, { heartbeat, heartbeatMs, note: exchange.note }),
  };
}

async function whole(ask: Ask, wire: ServedWire, asked: Asked): Promise<Reply> {
  const completion = await ask.router.complete(asked.model, asked.messages, {
    ...asked.options,
    tags: ask.tags,
    signal: ask.exchange.signal,
  });
  const writer = wire.writer(turnOf(ask, asked), { model: asked.model });
  const parts = new AnswerParts();
  for (const part of completion.content) {
    for (const each of parts.whole(part)) writer.write(each);
  }
  for (const each of parts.rest(completion)) writer.write(each);
  writer.finish(parts.end(completion));
  return jsonReply(writer.body(), exposed(ask, completion));
}

/** Answers with a model, in the format of a wire. */
export function generate(ask: Ask, wire: ServedWire): Promise<Reply> {
  const asked = wire.read(ask.body);
  checkTier(ask, asked.model);
  return asked.stream ? streamed(ask, wire, asked) : whole(ask, wire, asked);
}

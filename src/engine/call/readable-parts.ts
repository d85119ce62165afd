import { isSignalboxError, SignalboxError } from '../../errors.ts';
import { quotedList } from '../../internal/quoted.ts';
import type { Attempt, ErrorSummary } from '../../protocol/attempt.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { Part } from '../../protocol/message.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { Included, ReadableOptions, StreamPart } from '../../protocol/stream-part.ts';
import { errorResponse } from '../../telemetry/error-response.ts';
import { setAlarm } from '../core/scope.ts';

const defaultHeartbeatMs = 15_000;

/** What each field of a completion belongs to. */
const shownWith: Readonly<Record<keyof Completion, 'answer' | Included>> = {
  id: 'answer',
  callId: 'answer',
  tier: 'answer',
  target: 'answer',
  provider: 'answer',
  model: 'answer',
  content: 'answer',
  text: 'answer',
  reasoningText: 'answer',
  toolCalls: 'answer',
  object: 'answer',
  finishReason: 'answer',
  usage: 'cost',
  cost: 'cost',
  rawFinishReason: 'trail',
  finishDetail: 'trail',
  latency: 'trail',
  requestId: 'trail',
  serviceTier: 'trail',
  trail: 'trail',
  warnings: 'trail',
  shared: 'trail',
  cached: 'trail',
  tags: 'tags',
  raw: 'opaque',
};

const known: readonly string[] = ['cost', 'trail', 'tags', 'opaque'] satisfies readonly Included[];

/** @throws SignalboxError `config` */
export function checkReadableOptions({ include = [], heartbeatMs }: ReadableOptions): void {
  const unknown = include.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    const message = `toReadableStream(): include has ${quotedList(unknown)}; use ${quotedList(known)}`;
    throw new SignalboxError('config', message);
  }
  if (heartbeatMs === undefined || heartbeatMs > 0) return;
  throw new SignalboxError('config', 'toReadableStream(): heartbeatMs must be more than 0');
}

/** Parts without what is not shown. */
class Shown {
  readonly #included: ReadonlySet<string>;

  constructor(include: readonly Included[] = []) {
    this.#included = new Set<string>(['answer', ...include]);
  }

  part(part: StreamPart<unknown>): object {
    switch (part.type) {
      case 'part-end':
        return { type: part.type, part: this.#content(part.part) };
      case 'restart':
      case 'continue':
        return this.#included.has('trail')
          ? { ...part, error: this.#summary(part.error) }
          : { type: part.type, to: part.to };
      case 'finish':
        return { type: part.type, completion: this.#completion(part.completion as Completion) };
      default:
        return part;
    }
  }

  error(error: unknown): object {
    const shown = { type: 'error', ...errorResponse(error).body.error };
    if (!this.#included.has('trail') || !isSignalboxError(error)) return shown;
    return { ...shown, trail: error.trail.map((line) => this.#attempt(line)) };
  }

  #completion(completion: Completion): object {
    const fields = Object.entries({
      ...completion,
      content: completion.content.map((part) => this.#content(part)),
      toolCalls: completion.toolCalls.map((part) => this.#content(part)),
      trail: completion.trail.map((line) => this.#attempt(line)),
    });
    return Object.fromEntries(
      fields.filter(([name]) => this.#included.has(Reflect.get(shownWith, name))),
    );
  }

  #content(part: Part): object {
    if (this.#included.has('opaque')) return part;
    const { opaque: _opaque, ...shown } = { opaque: undefined, ...part };
    if (shown.type !== 'text' || shown.citations === undefined) return shown;
    return { ...shown, citations: shown.citations.map(({ raw: _raw, ...citation }) => citation) };
  }

  #attempt({ usage, cost, error, ...line }: Attempt): object {
    return {
      ...line,
      ...(error !== undefined && { error: this.#summary(error) }),
      ...(this.#included.has('cost') && { usage, cost }),
    };
  }

  /** `by` is the value of a tag. */
  #summary({ by, ...error }: ErrorSummary): object {
    return this.#included.has('tags') ? { ...error, by } : error;
  }
}

/** The parts as lines of JSON. A failure is the last line. */
export async function* toLines(
  parts: AsyncIterable<StreamPart<unknown>>,
  { include }: ReadableOptions,
): AsyncGenerator<string, void> {
  const shown = new Shown(include);
  try {
    for await (const part of parts) yield `${JSON.stringify(shown.part(part))}\n`;
  } catch (error) {
    yield `${JSON.stringify(shown.error(error))}\n`;
  }
}

/**
 * An `EventSource` whose connection ends makes the same request again, which would run the prompt again. It waits for
 * this time, the longest that all browsers support, and then sends the id, by which a server can tell.
 */
const preamble = `id: 1\nretry: ${2 ** 31 - 1}\n\n`;

const heartbeat = ': \n\n';

/** Resolves with `work`, or with nothing after `ms`. */
async function within<Value>(
  work: Promise<Value>,
  ms: number,
  runtime: Runtime,
): Promise<Value | undefined> {
  const late = Promise.withResolvers<undefined>();
  const cancel = setAlarm(runtime, ms, () => late.resolve(undefined));
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    cancel();
  }
}

/**
 * The parts as server-sent events, with comments while there are none. Something is sent at once, so that the response
 * starts. A failure is the last event.
 */
export async function* toEvents(
  reader: AsyncIterator<StreamPart<unknown>, void>,
  { include, heartbeatMs = defaultHeartbeatMs }: ReadableOptions,
  runtime: Runtime,
): AsyncGenerator<string, void> {
  const shown = new Shown(include);
  try {
    let next = reader.next();
    // It is awaited after the first yield only.
    next.catch(() => undefined);
    yield preamble;
    for (;;) {
      const step = await within(next, heartbeatMs, runtime);
      if (step === undefined) {
        yield heartbeat;
        continue;
      }
      if (step.done === true) return;
      yield `event: ${step.value.type}\ndata: ${JSON.stringify(shown.part(step.value))}\n\n`;
      next = reader.next();
    }
  } catch (error) {
    yield `event: error\ndata: ${JSON.stringify(shown.error(error))}\n\n`;
  }
}

import { isSignalboxError, SignalboxError } from '../../errors.ts';
import { emitEvent } from '../../internal/emit-event.ts';
import { once } from '../../internal/once.ts';
import { untilAborted } from '../../internal/until-aborted.ts';
import type { Attempt } from '../../protocol/attempt.ts';
import type { CallOptions } from '../../protocol/call-options.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { Message, ToolCallPart } from '../../protocol/message.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { StreamPart } from '../../protocol/stream-part.ts';
import { AnswerCalls, type CallsContext, type EmitToolEvent } from './answer-calls.ts';
import { encodeRecord, type RunRecord } from './run-record.ts';
import type { RunPart, RunResult } from './run-result.ts';
import { StepIds } from './step-ids.ts';
import type { RunnableTool } from './tool.ts';

/** The state of a run before one of its steps, for a function that chooses the tier. */
export type NextStep = {
  /** From 0. */
  readonly index: number;
  readonly messages: readonly Message[];
  /** US dollars of the steps so far. `null` if a price is unknown. */
  readonly usd: number | null;
};

/** Answers as the engine knows them, without the types of tools and schemas. */
export type AnyPart = RunPart<Completion>;
export type AnyResult = RunResult<Completion, ToolCallPart>;

/** A router without the types of its tiers, and of what an answer may call. */
export type UntypedRouter = {
  complete(tier: string, messages: readonly Message[], options: CallOptions): Promise<Completion>;
  stream(
    tier: string,
    messages: readonly Message[],
    options: CallOptions,
  ): AsyncIterable<StreamPart>;
};

export type RunSettings = {
  readonly router: UntypedRouter;
  readonly chooseTier: (step: NextStep) => unknown;
  readonly options: CallOptions;
  readonly tools: readonly RunnableTool[];
  readonly approve: ((call: ToolCallPart) => unknown) | undefined;
  /** By the ids of calls, which are the vendors' words: a map has no names of its own. */
  readonly approvals: ReadonlyMap<string, boolean>;
  readonly runtime: Runtime;
};

/** How a run reads answers: as streams for a reader of parts, or whole. */
export type RunMode = 'stream' | 'complete';

/** US dollars billed for attempts, as far as prices are known. */
function billedFor(trail: readonly Attempt[]) {
  const billed = trail.map(({ cost }) => cost);
  return {
    usd: billed.reduce<number>((sum, cost) => sum + (cost ?? 0), 0),
    isUnknown: billed.includes(null),
  };
}

function notChosen(cause: unknown): never {
  const message = 'the function that chooses the tier of a step failed; see cause';
  throw new SignalboxError('config', message, { cause });
}

/** The tool as the router takes it: without what only a run uses. The router rejects a field that it does not know. */
function offered({ execute: _, timeoutMs: _timeout, ...own }: RunnableTool) {
  // A class has some of them on its prototype.
  const { name, description, inputSchema, strict, destructive, cache } = own as RunnableTool;
  return { ...own, name, description, inputSchema, strict, destructive, cache };
}

/** One run: calls of the router, and the tool calls of each answer, until the model is done. */
export class Run {
  readonly record: RunRecord;
  readonly #settings: RunSettings;
  readonly #stop = new AbortController();
  readonly #calls: AnswerCalls;
  readonly #tools: ReturnType<typeof offered>[];
  #last: Completion | undefined;

  constructor(record: RunRecord, settings: RunSettings) {
    this.record = record;
    this.#settings = settings;
    this.#tools = settings.tools.map(offered);
    const { router, approve, approvals, runtime } = settings;
    const context: CallsContext = {
      tools: new Map(settings.tools.map((tool) => [tool.name, tool])),
      approve,
      runtime,
      signal: this.#stop.signal,
      emit: this.#emitterOf(router),
    };
    this.#calls = new AnswerCalls(record, context, approvals);
  }

  /** Ends the run: closes the vendor's socket and aborts its tools. */
  abort(error: SignalboxError): void {
    this.#stop.abort(error);
  }

  /** @throws SignalboxError like `router.complete`; `budget_exceeded`; `aborted` */
  async *parts(mode: RunMode): AsyncGenerator<AnyPart, AnyResult> {
    const { signal } = this.#settings.options;
    const abort = (): void =>
      this.abort(
        new SignalboxError('aborted', 'the run was aborted; see cause', { cause: signal?.reason }),
      );
    if (signal?.aborted === true) abort();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return yield* this.#steps(mode);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  async *#steps(mode: RunMode): AsyncGenerator<AnyPart, AnyResult> {
    const { record } = this;
    for (;;) {
      if (record.calls.length > 0) {
        yield* this.#calls.settle();
        if (record.calls.some(({ status }) => status === 'pending')) return this.#suspended();
        this.#endTurn();
        if (this.#isRefused() && this.#last !== undefined) return this.#done();
      }
      if (record.steps.length >= record.limits.maxSteps) return this.#outOfSteps();
      const completion = yield* this.#step(mode);
      if (record.calls.length === 0 && completion.finishReason !== 'pause') return this.#done();
    }
  }

  /** One call of the router. */
  async *#step(mode: RunMode): AsyncGenerator<AnyPart, Completion> {
    const { router, options, chooseTier } = this.#settings;
    const { messages, steps, limits } = this.record;
    const index = steps.length;
    const choosing = async () => chooseTier({ index, messages, usd: this.#usd });
    const chosen = await untilAborted(choosing().catch(notChosen), this.#stop.signal);
    // The router rejects what is not the name of a tier.
    const tier = chosen as string;
    yield { type: 'step-start', step: index, tier };
    const { toolChoice } = options;
    const isForced = toolChoice === 'required' || typeof toolChoice === 'object';
    const callOptions: CallOptions = {
      ...options,
      tools: this.#tools,
      signal: this.#stop.signal,
      ...(limits.maxUsd !== undefined && { maxUsd: this.#leftOf(limits.maxUsd) }),
      // A model that must call a tool in every answer would never be done.
      ...(isForced && index > 0 && { toolChoice: 'auto' }),
    };
    // Made when the router has checked the messages.
    const stepIds = once(() => new StepIds(messages));
    try {
      if (mode === 'complete') {
        const completion = await router.complete(tier, messages, callOptions);
        return this.#take(stepIds().completion(completion));
      }
      const reader = router.stream(tier, messages, callOptions)[Symbol.asyncIterator]();
      for (let next = await reader.next(); next.done !== true; next = await reader.next()) {
        const part = stepIds().part(next.value);
        // Before the reader has it, who may leave then.
        if (part.type === 'finish') this.#take(part.completion);
        let isLeft = true;
        try {
          yield part;
          isLeft = false;
        } finally {
          if (isLeft && part.type !== 'finish') await this.#countLeft(reader);
        }
        if (part.type === 'finish') return part.completion;
      }
    } catch (error) {
      throw this.#failed(error);
    }
    throw new SignalboxError('stream_interrupted', 'the stream of a step ended without an answer');
  }

  /** The reader of the run has left, which has aborted the call: its error says what was billed. */
  async #countLeft(reader: AsyncIterator<StreamPart>): Promise<void> {
    await reader.next().catch((error: unknown) => this.#failed(error));
  }

  #take(completion: Completion): Completion {
    const { record } = this;
    const { content, toolCalls, finishReason, callId, target, tier, cost, trail, tags } =
      completion;
    const isUnknown = cost.usd === null || billedFor(trail).isUnknown;
    record.spentUsd += cost.attemptsUsd;
    record.hasUnknownCost ||= isUnknown;
    record.tags = tags;
    const usd = isUnknown ? null : cost.attemptsUsd;
    const index = record.steps.length;
    record.steps.push({ index, tier, callId, target, finishReason, usd, tools: [] });
    if (content.length > 0) record.messages = [...record.messages, { role: 'assistant', content }];
    // Those that no plugin denied were validated, and are in `toolCalls` in the same order.
    const validated = toolCalls.values();
    record.calls = content.flatMap((part) => {
      if (part.type !== 'tool-call') return [];
      const input = part.denied === undefined ? validated.next().value?.input : undefined;
      const isChecked = this.#isChecked(part) && input !== undefined;
      return [{ part, status: 'new', ...(isChecked && { input: { value: input } }) }];
    });
    this.#last = completion;
    return completion;
  }

  /** Whether the engine has validated the input: plain JSON Schema is left to the caller. */
  #isChecked({ name, denied, invalid }: ToolCallPart): boolean {
    const tool = this.#tools.find((each) => each.name === name);
    return (
      denied === undefined &&
      invalid !== true &&
      tool !== undefined &&
      '~standard' in tool.inputSchema
    );
  }

  /** All calls of the last answer have results: the model gets them in the order of the calls. */
  #endTurn(): void {
    const { record } = this;
    const results = record.calls.flatMap(({ result }) => result ?? []);
    record.messages = [...record.messages, { role: 'tool', content: results }];
    record.calls = [];
  }

  #isRefused(): boolean {
    const reason = this.record.steps.at(-1)?.finishReason;
    return reason === 'refusal' || reason === 'content_filter';
  }

  get #usd(): number | null {
    return this.record.hasUnknownCost ? null : this.record.spentUsd;
  }

  get #ended() {
    const { messages, steps } = this.record;
    return { messages, steps: steps.map((step) => ({ ...step })), usd: this.#usd };
  }

  #done(): AnyResult {
    // A state that is done is not resumed, so there was an answer.
    const completion = this.#last as Completion;
    return { status: 'done', completion, ...this.#ended };
  }

  get #lastAnswer() {
    return this.#last === undefined ? {} : { completion: this.#last };
  }

  async #suspended(): Promise<AnyResult> {
    const pending = await this.#calls.pending();
    const state = encodeRecord(this.record);
    return { status: 'suspended', ...this.#lastAnswer, pending, state, ...this.#ended };
  }

  #outOfSteps(): AnyResult {
    const state = encodeRecord(this.record);
    return { status: 'max-steps', ...this.#lastAnswer, state, ...this.#ended };
  }

  /** @throws SignalboxError `budget_exceeded` */
  #leftOf(maxUsd: number): number {
    const left = maxUsd - this.record.spentUsd;
    if (left > 0) return left;
    throw new SignalboxError('budget_exceeded', this.#overBudget(maxUsd), { budget: 'maxUsd' });
  }

  #overBudget(maxUsd: number): string {
    const spent = Number(this.record.spentUsd.toFixed(9));
    return `the run has spent $${spent} of its maxUsd $${maxUsd} in ${this.record.steps.length} steps`;
  }

  /** Counts what a failed step cost. */
  #failed(error: unknown): unknown {
    if (isSignalboxError(error)) {
      const { usd, isUnknown } = billedFor(error.trail);
      this.record.spentUsd += usd;
      this.record.hasUnknownCost ||= isUnknown;
    }
    if (this.#stop.signal.aborted) return this.#stop.signal.reason;
    if (!isSignalboxError(error)) return error;
    const { maxUsd } = this.record.limits;
    if (error.code !== 'budget_exceeded' || error.budget !== 'maxUsd' || maxUsd === undefined) {
      return error;
    }
    return error.with({ message: `${this.#overBudget(maxUsd)}; ${error.message}` });
  }

  #emitterOf(router: object): EmitToolEvent {
    const emit: unknown = Reflect.get(router, emitEvent);
    return (type, { id: toolCallId, name: tool }, payload) => {
      const step = this.record.steps.at(-1);
      if (typeof emit !== 'function' || step === undefined) return;
      const { callId, tier, index } = step;
      const common = { type, callId, tier, tags: this.record.tags };
      const call = { runId: this.record.id, step: index, tool, toolCallId };
      emit.call(router, { ...common, ...call, ...payload });
    };
  }
}

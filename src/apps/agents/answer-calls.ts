import pLimit from 'p-limit';
import { untilAborted } from '../../internal/until-aborted.ts';
import type { FinishReason } from '../../protocol/completion.ts';
import type { RouterEvents } from '../../protocol/events.ts';
import type { ToolCallPart, ToolResultPart } from '../../protocol/message.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import { type Executed, executeTool } from './execute-tool.ts';
import type { OpenCall, RunRecord } from './run-record.ts';
import type { RunPart, ToolStatus } from './run-result.ts';
import type { RunnableTool } from './tool.ts';
import { failedResult } from './tool-output.ts';
import { type ValidInput, validInput } from './valid-input.ts';

type ToolEventName = 'tool-start' | 'tool-end' | 'tool-denied';
type OfCall = 'type' | 'at' | 'callId' | 'tier' | 'tags' | 'drill';
type OfToolCall = 'runId' | 'step' | 'tool' | 'toolCallId';

/** Emits an event of a tool call, with what its step and its call have in common added. */
export type EmitToolEvent = <Name extends ToolEventName>(
  type: Name,
  call: ToolCallPart,
  payload: Omit<RouterEvents[Name], OfCall | OfToolCall>,
) => void;

/** What a run brings along for the tool calls of its answers. */
export type CallsContext = {
  readonly tools: ReadonlyMap<string, RunnableTool>;
  readonly approve: ((call: ToolCallPart) => unknown) | undefined;
  readonly runtime: Runtime;
  /** Aborts with the run. */
  readonly signal: AbortSignal;
  readonly emit: EmitToolEvent;
};

export type ToolResult = Extract<RunPart<never>, { readonly type: 'tool-result' }>;

/** The model did not finish these answers, so their calls may be cut. */
const unfinished: Partial<Record<FinishReason, string>> = {
  length:
    'The answer was cut at its maximum length, so the tool was not run. Call it with less input.',
  context_length: 'The answer ran into the end of the context window, so the tool was not run.',
  content_filter: 'The answer was blocked, so the tool was not run.',
  refusal: 'The answer was refused, so the tool was not run.',
  error: 'The answer ended with an error, so the tool was not run.',
};

const noApproval = 'Denied: the tool is destructive, and there is nobody to approve it here.';
const notApproved = 'Denied: the call was not approved, and the tool was not run.';
const interrupted =
  'The run was interrupted while the tool ran. It may have taken effect, or not, and is not run again.';

/** `later`: it waits for approval. */
type Decision =
  | {
      readonly type: 'run';
      readonly tool: RunnableTool;
      readonly input: unknown;
      readonly approved?: true;
    }
  | { readonly type: 'later' }
  | {
      readonly type: 'answer';
      readonly status: ToolStatus;
      readonly text: string;
      readonly error?: unknown;
    };

function answer(status: ToolStatus, text: string, error?: unknown): Decision {
  return { type: 'answer', status, text, ...(error !== undefined && { error }) };
}

/** A name or a code of an error, unless it is prose. */
function word(value: unknown): string | undefined {
  return typeof value === 'string' && /^[\w.-]{1,64}$/.test(value) ? value : undefined;
}

/** What an event says about an error: never its message, which may repeat the input. */
function errorForEvent(error: unknown) {
  const isError = error instanceof Error;
  const code = word(isError ? Reflect.get(error, 'code') : undefined);
  return { name: word(isError ? error.name : undefined) ?? 'Error', ...(code && { code }) };
}

/** Yields the results in the order in which they come. */
async function* asTheyCome<Value>(
  promises: readonly Promise<Value>[],
): AsyncGenerator<Value, void> {
  const places = promises.map(() => Promise.withResolvers<Value>());
  // A reader that leaves waits for none of the rest.
  for (const { promise } of places) promise.catch(() => undefined);
  const next = places.values();
  for (const promise of promises) {
    const settle = (): void => next.next().value?.resolve(promise);
    promise.then(settle, settle);
  }
  for (const { promise } of places) yield await promise;
}

/** The tool calls of one answer: decides which of them run, and runs these. */
export class AnswerCalls {
  readonly #record: RunRecord;
  readonly #context: CallsContext;
  readonly #approvals: ReadonlyMap<string, boolean>;

  /** `approvals`: what was decided on calls that waited, by their ids. */
  constructor(record: RunRecord, context: CallsContext, approvals: ReadonlyMap<string, boolean>) {
    this.#record = record;
    this.#context = context;
    this.#approvals = approvals;
  }

  /** Yields each result as it comes. Afterwards, the calls without one wait for approval. Rejects with an abort's reason. */
  async *settle(): AsyncGenerator<ToolResult, void> {
    const { calls, limits } = this.#record;
    const limit = pLimit(limits.concurrency);
    const open = calls.filter(({ status }) => status !== 'done');
    const settling = open.map(async (call) => {
      const decision = await untilAborted(this.#decide(call), this.#context.signal);
      if (decision.type === 'answer') {
        const { status, text, error } = decision;
        return this.#done(call, failedResult(call.part, text), { status, error });
      }
      if (decision.type === 'run') return limit(() => this.#run(call, decision));
      call.status = 'pending';
      return undefined;
    });
    for await (const result of asTheyCome(settling)) if (result !== undefined) yield result;
  }

  /** The calls that wait for approval, as `approve` gets them. */
  async pending(): Promise<readonly ToolCallPart[]> {
    const waiting = this.#record.calls.filter(({ status }) => status === 'pending');
    return Promise.all(
      waiting.map(async (call) => {
        const tool = this.#context.tools.get(call.part.name);
        const input = tool && (await this.#inputOf(tool, call));
        return asAsked(call.part, input?.ok === true ? input.value : call.part.input);
      }),
    );
  }

  get #step() {
    const step = this.#record.steps.at(-1);
    if (step === undefined) throw new Error('a run without a step has no calls');
    return step;
  }

  async #inputOf(tool: RunnableTool, { part, input }: OpenCall): Promise<ValidInput> {
    return input === undefined ? validInput(tool, part) : { ok: true, value: input.value };
  }

  async #decide(call: OpenCall): Promise<Decision> {
    const { part } = call;
    if (call.status === 'started') return answer('interrupted', interrupted);
    const cut = unfinished[this.#step.finishReason];
    if (cut !== undefined) return answer('not-run', cut);
    const tool = this.#context.tools.get(part.name);
    if (tool === undefined) return answer('not-run', 'There is no such tool to run.');
    if (part.denied !== undefined && part.denied.unlessApproved !== true) {
      const { plugin: policy, rule } = part.denied;
      this.#context.emit('tool-denied', part, { reason: 'policy', policy, rule });
      return answer('denied', `Denied by a policy (rule "${rule}"): the tool was not run.`);
    }
    let valid: ValidInput;
    try {
      valid = await this.#inputOf(tool, call);
    } catch (error) {
      return answer('error', 'The tool failed.', error);
    }
    if (!valid.ok) {
      return answer('not-run', `The input does not fit the tool's schema: ${valid.issues}`);
    }
    const run = { type: 'run', tool, input: valid.value } as const;
    const isDestructive = tool.destructive === true || part.denied !== undefined;
    return isDestructive ? this.#asked(call, run) : run;
  }

  /** Whether a destructive call may run. */
  async #asked(
    call: OpenCall,
    run: Extract<Decision, { readonly type: 'run' }>,
  ): Promise<Decision> {
    const { part } = call;
    const { approve, emit } = this.#context;
    if (call.status === 'pending') {
      const approved = this.#approvals.get(part.id);
      if (approved === undefined) return { type: 'later' };
      if (approved) return { ...run, approved: true };
      emit('tool-denied', part, { reason: 'not-approved' });
      return answer('denied', notApproved);
    }
    if (approve === undefined) {
      const by = part.denied && { policy: part.denied.plugin, rule: part.denied.rule };
      emit('tool-denied', part, { reason: 'no-approval', ...by });
      return answer('denied', noApproval);
    }
    try {
      const approved = await approve(asAsked(part, run.input));
      if (approved === true) return { ...run, approved: true };
      if (approved === 'later') return { type: 'later' };
      if (approved !== false) throw new TypeError('approve must return true, false or "later"');
      emit('tool-denied', part, { reason: 'not-approved' });
      return answer('denied', notApproved);
    } catch (error) {
      // Nobody has approved it. The run goes on, as after a no.
      emit('tool-denied', part, { reason: 'approve-failed' });
      return answer('denied', notApproved, error);
    }
  }

  async #run(
    call: OpenCall,
    { tool, input, approved }: Extract<Decision, { readonly type: 'run' }>,
  ): Promise<ToolResult> {
    const { runtime, signal, emit } = this.#context;
    // It waited for the others.
    signal.throwIfAborted();
    const startedAt = runtime.now();
    call.status = 'started';
    emit('tool-start', call.part, approved === true ? { approved } : {});
    const about = { runId: this.#record.id, toolCallId: call.part.id, step: this.#step.index };
    const executed = await executeTool(tool, input, { ...about, signal }, runtime);
    const durationMs = runtime.now() - startedAt;
    this.#emitEnd(call, executed, durationMs);
    // Its state stays `started`: nobody knows whether it took effect.
    if (executed.status === 'aborted') throw signal.reason;
    const { status, result } = executed;
    const error = executed.status === 'ok' ? undefined : executed.error;
    return this.#done(call, result, { status, durationMs, error });
  }

  #emitEnd({ part }: OpenCall, executed: Executed, durationMs: number): void {
    const { status } = executed;
    const error = status === 'error' ? { error: errorForEvent(executed.error) } : {};
    this.#context.emit('tool-end', part, { status, durationMs, ...error });
  }

  #done(
    call: OpenCall,
    result: ToolResultPart,
    how: { readonly status: ToolStatus; readonly durationMs?: number; readonly error?: unknown },
  ): ToolResult {
    const { status, durationMs, error } = how;
    const more = {
      status,
      ...(durationMs !== undefined && { durationMs }),
      ...(error !== undefined && { error }),
    };
    call.status = 'done';
    call.result = result;
    this.#step.tools.push({ toolCallId: result.id, name: result.name, ...more });
    return { type: 'tool-result', step: this.#step.index, result, ...more };
  }
}

/** The call with its validated input, for those who decide on it. */
function asAsked({ denied: _, ...part }: ToolCallPart, input: unknown): ToolCallPart {
  return { ...part, input: input as ToolCallPart['input'] };
}

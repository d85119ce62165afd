import { SignalboxError } from '../../errors.ts';
import { quoted, quotedList } from '../../internal/quoted.ts';
import type { CallOptions } from '../../protocol/call-options.ts';
import type { ToolCallOf } from '../../protocol/completion.ts';
import type { JsonObject, JsonSchema } from '../../protocol/json.ts';
import type { Message, ToolCallPart } from '../../protocol/message.ts';
import type { CompletionOf, Router } from '../../protocol/router.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { StandardSchema } from '../../protocol/standard-schema.ts';
import { systemRuntime } from '../../runtime.ts';
import { type NextStep, Run, type RunSettings, type UntypedRouter } from './run.ts';
import { decodeRecord, type RunRecord } from './run-record.ts';
import type { RunState } from './run-result.ts';
import type { RunnableTool } from './tool.ts';
import { LazyRun, type ToolRun } from './tool-run.ts';

type AnySchema = StandardSchema | JsonSchema | undefined;

/** `true` runs the call, `false` denies it, `'later'` suspends the run. */
export type Approval = boolean | 'later';

/** The options of a run. Those of a call apply to the call of each step. */
export type RunOptions<
  Provider extends string = string,
  Schema extends AnySchema = AnySchema,
  Tools extends readonly RunnableTool[] = readonly RunnableTool[],
> = CallOptions<Provider, Schema, Tools> & {
  readonly tools: Tools;
  /** The most calls of the router. @default 20 */
  readonly maxSteps?: number | undefined;
  /**
   * Decides on each call of a destructive tool, and on each call that `guardTools` denies as `destructive`. It may wait for
   * a person for seconds; to wait longer, return `'later'`. A call on which it fails is denied.
   * @default such a call is denied, and the run goes on
   */
  readonly approve?:
    | ((toolCall: NoInfer<ToolCallOf<Tools>>) => Approval | Promise<Approval>)
    | undefined;
  /** The most tools that run at the same time. @default 10 */
  readonly concurrency?: number | undefined;
  /**
   * US dollars that all steps may cost together. Then the run fails with `budget_exceeded`. A target of unknown price is
   * not used. What plugins spend on calls of their own counts for the step, not for the next ones.
   * @default no limit
   */
  readonly maxUsd?: number | undefined;
  /**
   * The first step's only, if it forces a call: a model that must call a tool in every answer would never be done.
   */
  readonly toolChoice?: CallOptions['toolChoice'];
  /** Clock, timers and ids: for tests. @default the system's */
  readonly runtime?: Runtime | undefined;
};

/**
 * The options with which a run goes on. Those that are JSON are in the state, unless they are set here. `schema`, `validate`
 * and a `tier` that is a function must be passed again.
 */
export type ResumeOptions<
  Tier extends string = string,
  Provider extends string = string,
  Schema extends AnySchema = AnySchema,
  Tools extends readonly RunnableTool[] = readonly RunnableTool[],
> = RunOptions<Provider, Schema, Tools> & {
  /** What was decided on calls that waited, by `toolCallId`. A call without a decision keeps the run suspended. */
  readonly approvals?: { readonly [toolCallId: string]: boolean } | undefined;
  /** @default the tier of `runTools` */
  readonly tier?: Tier | ((step: NextStep) => Tier | Promise<Tier>) | undefined;
};

/** The run of a router's tier with these tools. */
type RunOf<
  Tier extends string,
  Schema extends AnySchema,
  Tools extends readonly RunnableTool[],
> = ToolRun<CompletionOf<Tier, Schema, Tools>, ToolCallOf<Tools>>;

const defaultMaxSteps = 20;
const defaultConcurrency = 10;

/** Options of the run, which the calls of its steps do not have. */
const runOnly = ['tools', 'maxSteps', 'approve', 'concurrency', 'runtime', 'maxUsd'];
const resumeOnly = ['approvals', 'tier'];
/** Options of a call that a state cannot contain. The answers depend on the first two. */
const notJson = ['schema', 'validate', 'signal'];
const needed = ['schema', 'validate'];

function wrong(what: string): SignalboxError {
  return new SignalboxError('config', what);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null;
}

function without(options: JsonObject, names: readonly string[]): JsonObject {
  const entries = Object.entries(options);
  return Object.fromEntries(
    entries.filter(([name, value]) => value !== undefined && !names.includes(name)),
  );
}

/** The caller may change its list later. The router rejects what is not a list. */
function copyOf(messages: readonly Message[]): readonly Message[] {
  return Array.isArray(messages) ? [...messages] : messages;
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) > 0;
}

/** What the router does not check, because it does not get it. The rest it checks in the first step. */
function checkOptions(options: unknown): asserts options is RunOptions {
  if (!isObject(options)) throw wrong('options: must be an object with tools');
  const { tools, maxSteps = 1, concurrency = 1, approve, maxUsd = 1 } = options;
  if (!Array.isArray(tools)) throw wrong('tools: must be a list of tools');
  const names = new Set<unknown>();
  for (const [index, tool] of tools.entries()) {
    const path = `tools[${index}]`;
    if (!isObject(tool) || typeof tool.execute !== 'function') {
      throw wrong(`${path}: must be a tool with a function "execute"`);
    }
    const { name, timeoutMs = 1 } = tool;
    if (names.has(name)) throw wrong(`${path}.name: there is a tool ${quoted(name)} already`);
    names.add(name);
    const isTimeout = Number.isFinite(timeoutMs) && Number(timeoutMs) > 0;
    if (!isTimeout) throw wrong(`${path}.timeoutMs: must be a number of milliseconds above 0`);
  }
  if (!isCount(maxSteps)) throw wrong('maxSteps: must be a whole number above 0');
  if (!isCount(concurrency)) throw wrong('concurrency: must be a whole number above 0');
  if (!(Number.isFinite(maxUsd) && Number(maxUsd) > 0)) {
    throw wrong('maxUsd: must be a number of US dollars above 0');
  }
  if (approve !== undefined && typeof approve !== 'function') {
    throw wrong('approve: must be a function that returns true, false or "later"');
  }
}

function open(
  router: UntypedRouter,
  record: RunRecord,
  tier: unknown,
  options: ResumeOptions,
): LazyRun {
  const { tools, approve, approvals = {}, runtime = systemRuntime } = options;
  const chooseTier: RunSettings['chooseTier'] =
    typeof tier === 'function' ? (step) => tier(step) : () => tier;
  const callOptions = {
    ...record.options,
    ...without(options as JsonObject, [...runOnly, ...resumeOnly]),
  } as CallOptions;
  // A function that takes the calls of some tools is called with no others.
  const ask = approve as ((call: ToolCallPart) => unknown) | undefined;
  return new LazyRun(
    new Run(record, {
      ...{ router, chooseTier, options: callOptions, tools },
      ...{ approve: ask, approvals: new Map(Object.entries(approvals)), runtime },
    }),
  );
}

/**
 * Lets a model call tools: calls the tier, runs the tools that the answer calls, sends the results back, until the model
 * is done. Calls of one answer run at the same time; their results are sent in the order of the calls.
 *
 * `tier` may be a function, which chooses the tier of each step: the conversation goes on with another vendor.
 *
 * @throws SignalboxError `config` for invalid options of the run; those of the calls reject `result`
 */
export function runTools<
  Tier extends string,
  Provider extends string,
  const Name extends Tier,
  const Tools extends readonly RunnableTool[],
  Schema extends AnySchema = undefined,
  Strategy extends string = never,
>(
  router: Router<Tier, Provider, Strategy>,
  tier: Name | ((step: NextStep) => Name | Promise<Name>),
  messages: string | readonly Message[],
  options: RunOptions<Provider, Schema, Tools>,
): RunOf<Name, Schema, Tools> {
  checkOptions(options);
  const { maxSteps = defaultMaxSteps, concurrency = defaultConcurrency, maxUsd } = options;
  const { runtime = systemRuntime } = options;
  const given = options as JsonObject;
  const record: RunRecord = {
    id: runtime.createId('run'),
    tier: typeof tier === 'function' ? null : tier,
    options: without(given, [...runOnly, ...notJson]),
    needs: needed.filter((name) => given[name] !== undefined),
    limits: { maxSteps, concurrency, ...(maxUsd !== undefined && { maxUsd }) },
    steps: [],
    messages:
      typeof messages === 'string' ? [{ role: 'user', content: messages }] : copyOf(messages),
    spentUsd: 0,
    hasUnknownCost: false,
    tags: {},
    calls: [],
  };
  return open(
    router as unknown as UntypedRouter,
    record,
    tier,
    options as ResumeOptions,
  ) as unknown as RunOf<Name, Schema, Tools>;
}

/** @throws SignalboxError `config` if the run cannot go on with these options */
function checkResumed(record: RunRecord, options: ResumeOptions): void {
  const { tools, approvals = {}, tier } = options;
  const given = options as JsonObject;
  const missing = record.needs.filter((name) => given[name] === undefined);
  if (missing.length > 0) {
    throw wrong(
      `the run had ${quotedList(missing)}, which its state cannot contain: pass it again`,
    );
  }
  if (record.tier === null && tier === undefined) {
    throw wrong('the tier of the run was a function, which its state cannot contain: pass `tier`');
  }
  const last = record.messages.at(-1);
  if (last?.role === 'assistant' && record.calls.length === 0) {
    if (record.steps.at(-1)?.finishReason !== 'pause') {
      throw wrong('the run was done: start a new one with its messages and another one');
    }
  }
  const pending = record.calls.filter(({ status }) => status === 'pending');
  const ids = pending.map(({ part }) => part.id);
  for (const [id, approved] of Object.entries(approvals)) {
    if (!ids.includes(id)) {
      const known = ids.length === 0 ? 'no call does' : `these do: ${quotedList(ids)}`;
      throw wrong(`approvals: no call ${quoted(id)} waits for approval; ${known}`);
    }
    if (typeof approved !== 'boolean') {
      throw wrong(`approvals: ${quoted(id)} must be true or false`);
    }
  }
  for (const { part } of pending) {
    if (tools.some(({ name }) => name === part.name)) continue;
    throw wrong(
      `tools: a call of ${quoted(part.name)} waits for approval, and there is no such tool`,
    );
  }
}

/**
 * Goes on with a run from its state, in this process or another. The calls in `approvals` run, or are denied. If others
 * still wait, the run is suspended again, with what is known by then.
 *
 * Tools that have a result do not run again. But two runs that are resumed from the same state do not know of each other:
 * a tool that must not run twice can use `runId` and `toolCallId` as its key for idempotency.
 *
 * @throws SignalboxError `config` for something that is not a state or was changed, for an approval of a call that does not
 * wait for one, and for options that the run needs
 */
export function resumeTools<
  Tier extends string,
  Provider extends string,
  const Tools extends readonly RunnableTool[],
  Schema extends AnySchema = undefined,
  Strategy extends string = never,
>(
  router: Router<Tier, Provider, Strategy>,
  state: RunState | JsonObject,
  options: ResumeOptions<Tier, Provider, Schema, Tools>,
): RunOf<Tier, Schema, Tools> {
  checkOptions(options);
  const decoded = decodeRecord(state);
  checkResumed(decoded, options as ResumeOptions);
  const { maxSteps, concurrency, maxUsd } = options;
  const record: RunRecord = {
    ...decoded,
    options: {
      ...decoded.options,
      ...without(options as JsonObject, [...runOnly, ...resumeOnly, ...notJson]),
    },
    limits: {
      ...decoded.limits,
      ...(maxSteps !== undefined && { maxSteps }),
      ...(concurrency !== undefined && { concurrency }),
      ...(maxUsd !== undefined && { maxUsd }),
    },
    ...(typeof options.tier === 'string' && { tier: options.tier }),
  };
  const tier = options.tier ?? record.tier;
  return open(
    router as unknown as UntypedRouter,
    record,
    tier,
    options as ResumeOptions,
  ) as unknown as RunOf<Tier, Schema, Tools>;
}

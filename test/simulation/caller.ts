import { getEventListeners } from 'node:events';
import {
  type Completion,
  isSignalboxError,
  type Requires,
  type Router,
  type SignalboxError,
} from '../../src/index.ts';
import { addressedSchema, answerSchema, promptOf } from './answers.ts';
import { type BudgetPlan, longPromptOf } from './budgets.ts';
import { type LayerPlan, tools } from './layers.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { CallPlan } from './world.ts';

/** The outcome of one call, as its caller saw it. */
export type Outcome = {
  readonly plan: CallPlan;
  readonly startedAt: number;
  endedAt: number;
  completion?: Completion;
  /** Vectors were returned. */
  hasEmbedded?: true;
  error?: SignalboxError;
  /** A thrown value that is not a `SignalboxError`. */
  strayError?: unknown;
  /** The text that the reader has at the end. */
  seen: string;
  /** The tools that its stream told the reader to call, also before a restart. */
  readonly toolNames: string[];
  hasLeft: boolean;
  /** Listeners left on the caller's signal. */
  listeners: number;
};

async function readStream(
  router: Router,
  time: VirtualTime,
  outcome: Outcome,
  prompt: string,
  options: object,
): Promise<void> {
  const { plan } = outcome;
  const stream = router.stream(plan.tier, prompt, options);
  let parts = 0;
  for await (const part of stream) {
    if (plan.leaveAfter === parts) {
      outcome.hasLeft = true;
      break;
    }
    parts += 1;
    if (part.type === 'restart') outcome.seen = '';
    if (part.type === 'text-delta') outcome.seen += part.delta;
    if (part.type === 'tool-call-start') outcome.toolNames.push(part.name);
    if (part.type === 'part-end' && part.part.type === 'tool-call') {
      if (part.part.denied === undefined) outcome.toolNames.push(part.part.name);
    }
    if (part.type === 'finish') outcome.completion = part.completion;
    if (plan.readMs > 0) await time.sleep(plan.readMs);
  }
}

/** Makes one call according to its plan. */
export async function makeCall(
  router: Router,
  time: VirtualTime,
  plan: CallPlan,
  {
    requires,
    budgets,
    layers,
  }: {
    readonly requires?: Requires | undefined;
    readonly budgets?: BudgetPlan | undefined;
    readonly layers?: LayerPlan | undefined;
  },
): Promise<Outcome> {
  await time.sleep(plan.atMs);
  const controller = new AbortController();
  const { signal } = controller;
  const abort = (): void => controller.abort(new Error('the caller has aborted'));
  const { abortAfterMs } = plan;
  const clearAlarm =
    abortAfterMs === undefined ? undefined : time.alarm?.(Math.max(1, abortAfterMs), abort);
  const startedAt = time.now();
  const outcome: Outcome = {
    plan,
    startedAt,
    endedAt: startedAt,
    seen: '',
    toolNames: [],
    hasLeft: false,
    listeners: 0,
  };
  const payer = budgets?.payers.get(plan.number);
  const asker = layers?.askers.get(plan.number);
  const { addresses = [], tenant, cacheResponse } = asker ?? {};
  const short = promptOf(asker?.question ?? plan.number, addresses);
  const prompt = budgets === undefined ? short : longPromptOf(short);
  const shared = {
    signal,
    priority: plan.priority,
    tags: { plan: String(plan.number), ...(tenant !== undefined && { tenant }), ...payer?.tags },
    ...(payer?.maxUsd !== undefined && { maxUsd: payer.maxUsd }),
    ...(plan.totalMs !== undefined && { timeouts: { totalMs: plan.totalMs } }),
    ...(requires !== undefined && { requires }),
  };
  const options = {
    ...shared,
    transfer: plan.transfer,
    singleFlight: plan.singleFlight,
    ...(cacheResponse !== undefined && { cacheResponse }),
    ...(asker?.offersTools === true && !plan.wantsObject && { tools }),
    ...(plan.wantsObject && { schema: addresses.length > 0 ? addressedSchema : answerSchema }),
  };
  try {
    if (payer?.isEmbedding === true) {
      await router.embed('vectors', [prompt, 'next'], shared);
      outcome.hasEmbedded = true;
    } else if (plan.mode === 'stream') await readStream(router, time, outcome, prompt, options);
    else {
      outcome.completion = await router.complete(plan.tier, prompt, options);
      outcome.seen = outcome.completion.text;
    }
  } catch (error) {
    if (isSignalboxError(error)) outcome.error = error;
    else outcome.strayError = error;
  }
  clearAlarm?.();
  outcome.endedAt = time.now();
  // One turn, in which the router cleans up after the call.
  await new Promise((resolve) => setImmediate(resolve));
  outcome.listeners = getEventListeners(signal, 'abort').length;
  return outcome;
}

import { defaults } from '../../config/defaults.ts';
import { isSignalboxError, SignalboxError } from '../../errors.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import type { PreparedCall } from '../../protocol/provider.ts';
import type { AttemptPlan } from '../core/attempt-plan.ts';
import { targetLabel } from '../core/keys.ts';
import { untilEnded } from '../core/scope.ts';
import type { Continuation, Run } from './run.ts';

/** What one attempt sends. */
export type AttemptRequest = {
  readonly prepared: PreparedCall;
  /** The turns that are sent. */
  readonly messages: readonly NormalMessage[];
  /** What the answer continues. */
  readonly continuation?: Continuation;
};

const droppedCodes: readonly string[] = ['dropped-param', 'dropped-part'];

/**
 * Puts the request into the vendor's format. Nothing is sent yet.
 * @throws SignalboxError `unsupported` when the target would have to drop something and `onUnsupported` forbids that
 */
export function prepareAttempt(
  { call, target, provider, options }: AttemptPlan,
  repair: readonly NormalMessage[],
): PreparedCall {
  const prepared = call.task.prepare(provider, { target, options, repair });
  const onUnsupported = options.onUnsupported ?? defaults.onUnsupported;
  const dropped = prepared.warnings.find((warning) => droppedCodes.includes(warning.code));
  if (dropped === undefined || onUnsupported === 'warn') return prepared;
  throw new SignalboxError(
    'unsupported',
    `lacks ${dropped.param ?? 'something in the request'}: ${dropped.message}`,
    { target: target.id },
  );
}

async function load(run: Run, plan: AttemptPlan, work: Promise<unknown>): Promise<void> {
  try {
    await untilEnded(work, run.scope);
  } catch (error) {
    if (!isSignalboxError(error)) throw error;
    const { target } = plan;
    const what = error === run.scope.reason ? 'not sent, its SDK was still loading; ' : '';
    const message = `${targetLabel(target)}: ${what}${error.message}`;
    throw error.with({ target: target.id, message });
  }
}

/**
 * Waits for the vendor's SDK and the price list, which are loaded once in a process. `undefined` when both are loaded.
 * Without prices the cost of the answer is unknown, which is no failure.
 * @throws SignalboxError `config` when the SDK cannot be loaded, or the reason for which the call ended
 */
export function loadFor(run: Run, plan: AttemptPlan): Promise<void> | undefined {
  const { engine } = run;
  const sdk = engine.loading.load(plan.target.provider);
  const prices = engine.pricing.load(plan.priced);
  if (sdk === undefined && prices === undefined) return undefined;
  return load(run, plan, Promise.all([sdk, prices?.catch(() => undefined)]));
}

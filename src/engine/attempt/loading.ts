import type { ResolvedTarget } from '../../config/resolve.ts';
import { isSignalboxError } from '../../errors.ts';
import { pricedTarget } from '../core/engine.ts';
import { heldUnder } from '../core/keys.ts';
import type { Scope } from '../core/scope.ts';
import type { Run } from './run.ts';

/** What `work` comes to, or the reason of the call's end as soon as it ends. The work itself goes on. */
function untilEnded(work: Promise<unknown>, scope: Scope): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => reject(scope.reason);
    if (scope.reason === undefined) scope.listen(end);
    else end();
    work.then(() => resolve(), reject).finally(() => scope.unlisten(end));
  });
}

async function load(run: Run, target: ResolvedTarget, work: Promise<unknown>): Promise<void> {
  try {
    await untilEnded(work, run.scope);
  } catch (error) {
    if (!isSignalboxError(error)) throw error;
    const { target: name } = heldUnder(target);
    const what = error === run.scope.reason ? 'not asked, its SDK was being loaded; ' : '';
    throw error.with({ target: target.id, message: `${name}: ${what}${error.message}` });
  }
}

/**
 * Waits for what an attempt needs of this process, which takes a while only once: the vendor's SDK, and the price
 * list. `undefined` when all of it is there. Without prices the answer's cost is unknown, which is no failure.
 * @throws SignalboxError `config` when the SDK cannot be loaded, or the reason of the call's end
 */
export function loadingFor(run: Run, target: ResolvedTarget): Promise<void> | undefined {
  const { engine } = run;
  const sdk = engine.loading.load(target.provider);
  const prices = engine.pricing.load(pricedTarget(engine, target));
  if (sdk === undefined && prices === undefined) return undefined;
  return load(run, target, Promise.all([sdk, prices?.catch(() => undefined)]));
}

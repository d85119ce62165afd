import type { Explanation } from '../../protocol/router.ts';
import { prepareAttempt } from '../attempt/prepare.ts';
import { planCall } from '../chain/plan-call.ts';
import type { Call, Engine } from '../core/engine.ts';
import { toldKey } from '../core/keys.ts';

/** What a call would do, and why, without doing it: no I/O, no change of any state. */
export function explainCall(engine: Engine, call: Call): Explanation {
  const planned = planCall(engine, call);
  const candidates: Explanation['candidates'][number][] = [];
  const skipped: Explanation['skipped'][number][] = [...planned.skipped];
  for (const target of planned.candidates) {
    try {
      const { warnings } = prepareAttempt(engine, call, target, []);
      const told = { target: target.id, ...toldKey(target) };
      candidates.push({ ...told, warnings: warnings.map(({ message }) => message) });
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'it cannot take this request';
      skipped.push({ target: target.id, ...toldKey(target), reason });
    }
  }
  return { tier: call.tier.name, candidates, skipped };
}

import type { BudgetSettings, RouterEvent } from '../../src/index.ts';
import { type BudgetPlan, type Budgets, matches, payingCallOf, windowStart } from './budgets.ts';
import type { Run } from './simulate.ts';

type CostEvent = Extract<RouterEvent, { type: 'cost' }>;

const nanoPerUsd = 1e9;

/** Times that a store may be asked before an attempt starts, each with a latency before and after. */
const mostQuestions = 24;

/** What must have been settled under a counter. `maybe` more where an attempt was reserved before a window ended. */
type Expected = { sum: number; maybe: number };

/** When the attempt that is billed was started. */
function startedAt({ events, ledger, world }: Run, cost: CostEvent, index: number): number {
  const entry = ledger[cost.usage.inputTokens - world.billing.inputTokens];
  if (entry !== undefined) return entry.at;
  const start = events
    .slice(0, index)
    .findLast(
      (each) =>
        each.type === 'attempt-start' && each.callId === cost.callId && each.target === cost.target,
    );
  return start?.at ?? Number.NaN;
}

/** What the budget counts for a cost, by unit. */
function amountsOf(budget: BudgetSettings, { usd, usage }: CostEvent): Record<string, number> {
  const { usdPerMillion = 0 } = typeof budget.unknownPrice === 'object' ? budget.unknownPrice : {};
  const assumed = Math.ceil(usage.totalTokens * usdPerMillion * 1_000);
  return {
    ...(budget.usd !== undefined && {
      usd: usd === null ? assumed : Math.round(usd * nanoPerUsd),
    }),
    ...(budget.tokens !== undefined && { tokens: usage.totalTokens }),
    ...(budget.requests !== undefined && { requests: 1 }),
  };
}

/** By the key of a counter without the name of its period: what the `cost` events add up to. */
function expectedOf(run: Run, plan: BudgetPlan): ReadonlyMap<string, Expected> {
  const expected = new Map<string, Expected>();
  const { freeze } = run.world.incidents;
  // The process may stand still while the store answers.
  const frozenMs = plan.storeMs === undefined ? 0 : (freeze?.forMs ?? 0);
  const latencyMs = mostQuestions * (plan.storeMs ?? 0) + frozenMs;
  const add = (key: string, amount: number, isSure: boolean): void => {
    const known = expected.get(key) ?? { sum: 0, maybe: 0 };
    if (isSure) known.sum += amount;
    else known.maybe += amount;
    expected.set(key, known);
  };
  for (const [index, event] of run.events.entries()) {
    // Drills do not spend what users may spend.
    if (event.type !== 'cost' || event.drill !== undefined) continue;
    const at = startedAt(run, event, index);
    const budgets: Budgets = run.budgetsOf.get(payingCallOf(event) ?? '') ?? plan.budgets;
    for (const [name, budget] of Object.entries(budgets)) {
      if (!matches(budget, event)) continue;
      const by = budget.by === undefined ? null : (event.tags[budget.by] ?? '(none)');
      const starts = new Set([
        windowStart(plan, budget, at),
        windowStart(plan, budget, at - latencyMs),
      ]);
      for (const [unit, amount] of Object.entries(amountsOf(budget, event))) {
        for (const start of starts) {
          add(JSON.stringify([name, by, unit, start ?? 'minute']), amount, starts.size === 1);
        }
      }
    }
  }
  return expected;
}

/** As above, of a key of the store. */
function nameOf(key: string): string {
  const [, name, by, unit, window]: string[] = JSON.parse(key);
  const start = window === 'minute' ? window : Number(window?.split(' ')[1]);
  return JSON.stringify([name, by, unit, start]);
}

/** Amounts that differ from the `cost` events, and caps that were exceeded by more than vendors billed beyond reservations. */
function wronglySettled(run: Run, plan: BudgetPlan): string[] {
  const violations: string[] = [];
  const expected = new Map(expectedOf(run, plan));
  for (const { key, settled, limit, excess, hasEnded, isRolling } of run.store?.spent.values() ??
    []) {
    const name = nameOf(key);
    const { sum, maybe } = expected.get(name) ?? { sum: 0, maybe: 0 };
    expected.delete(name);
    if (settled < sum || settled > sum + maybe) {
      violations.push(
        `${key}: ${settled} are settled, the cost events are ${sum} to ${sum + maybe}`,
      );
    }
    const isLimited = !hasEnded && !isRolling;
    if (isLimited && settled > limit + excess) {
      violations.push(`${key}: ${settled} of ${limit} are settled, ${excess} beyond reservations`);
    }
  }
  for (const [name, { sum }] of expected) {
    if (sum > 0) violations.push(`${name}: ${sum} were billed, and nothing was settled`);
  }
  return violations;
}

/** Reservations that are left, and calls that waited for room until their deadline although nothing was reserved. */
function leftReserved({ store, quiet, budgets, policy }: Run): string[] {
  const violations: string[] = [];
  const open = store?.open() ?? 0;
  if (open > 0) violations.push(`${open} reservations were not settled exactly once`);
  const isQuiet = policy?.forkTo === undefined && budgets?.storeMs === undefined;
  for (const { name, reserved } of (isQuiet && quiet?.snapshot.budgets) || []) {
    if (reserved !== 0) violations.push(`${reserved} are reserved under ${name} when quiet`);
  }
  return violations;
}

/** Calls that spent more than `maxUsd`, where vendors billed no more than was reserved. */
function beyondMaxUsd({ events, budgets, world }: Run): string[] {
  const isWithin = world.billing.inputTokens < 1_000 && budgets?.maxOutputTokens !== undefined;
  if (!isWithin || Object.keys(world.billing.hidden).length > 0) return [];
  return [...(budgets?.payers ?? [])].flatMap(([number, { maxUsd }]) => {
    if (maxUsd === undefined) return [];
    const costs = events.flatMap((event) =>
      event.type === 'cost' && payingCallOf(event) === String(number) ? [event] : [],
    );
    // Where the vendor is silent, an answer is not counted after each character.
    if (costs.some(({ usage }) => usage.estimated === true)) return [];
    const usd = costs.reduce((sum, event) => sum + (event.usd ?? 0), 0);
    return usd > maxUsd + 1e-12 ? [`call ${number} spent ${usd} of ${maxUsd}`] : [];
  });
}

/** All violations of budgets in a run. */
export function budgetViolationsIn(run: Run): readonly string[] {
  const { budgets, store } = run;
  if (budgets === undefined || store === undefined) return [];
  return [
    ...store.violations,
    ...wronglySettled(run, budgets),
    ...leftReserved(run),
    ...beyondMaxUsd(run),
  ];
}

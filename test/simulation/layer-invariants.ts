import type { RouterEvent } from '../../src/index.ts';
import type { Outcome } from './caller.ts';
import { destructiveTool, type LayerPlan } from './layers.ts';
import type { Run } from './simulate.ts';

/** Of every address in the prompts, and of nothing else. */
const sign = '@mail.example';

/** Redacted values that a vendor, an event or a listener of errors has seen. */
function leaked({ ledger, events, world }: Run, { redacts }: LayerPlan): string[] {
  if (!redacts) return [];
  const sent = ledger.filter(({ sent }) => sent.includes(sign));
  const told = events.filter((event) => JSON.stringify(event).includes(sign));
  return [
    ...sent.map(({ id, target }) => `request ${id} to ${target} has a redacted value`),
    ...told.map(({ type }) => `an event ${type} of world ${world.seed} has a redacted value`),
  ];
}

/** The events of the call of a plan. */
function eventsOf({ events }: Run, number: number): readonly RouterEvent[] {
  return events.filter(({ tags }) => tags.plan === String(number));
}

/** What decides whether two calls may have the same answer. */
function identityOf(
  { redacts, cache, askers }: LayerPlan,
  { plan }: Outcome,
  hasTenants = cache?.hasTenants === true,
): string {
  const asker = askers.get(plan.number);
  return JSON.stringify([
    plan.tier,
    plan.wantsObject,
    plan.transfer,
    asker?.question,
    redacts ? asker?.addresses.length : asker?.addresses,
    !plan.wantsObject && asker?.offersTools,
    hasTenants ? asker?.tenant : undefined,
  ]);
}

/** Answers from the cache that are of another request or tenant, too old, cut, or cost anything. */
function wronglyCached(run: Run, layers: LayerPlan): string[] {
  return run.outcomes.flatMap((outcome) => {
    const { plan, completion } = outcome;
    if (completion?.cached !== true) return [];
    const { number } = plan;
    const violations: string[] = [];
    const asker = layers.askers.get(number);
    const offersTools = asker?.offersTools === true && !plan.wantsObject;
    const isWanted = offersTools ? asker.cacheResponse === true : asker?.cacheResponse !== false;
    if (layers.cache === undefined || !isWanted)
      violations.push(`call ${number} got a cached answer that it did not want`);
    const identity = identityOf(layers, outcome);
    const isTwin = run.outcomes.some((other) => {
      // Who sets singleFlight shares requests with other tenants too.
      const isOpen = completion.shared === true && plan.singleFlight && other.plan.singleFlight;
      const own = isOpen ? identityOf(layers, outcome, false) : identity;
      const theirs = identityOf(layers, other, isOpen ? false : undefined);
      if (other === outcome || theirs !== own) return false;
      const before = eventsOf(run, other.plan.number);
      const hasAnswer = before.some(
        (event) => event.type === 'attempt-end' && event.outcome === 'ok',
      );
      const last = before.at(-1)?.at ?? 0;
      const { ttlMs = 0 } = layers.cache ?? {};
      return hasAnswer && last > outcome.startedAt - ttlMs && other.startedAt <= outcome.endedAt;
    });
    if (!isTwin) violations.push(`call ${number} got the answer of a call that is not the same`);
    const sent = eventsOf(run, number);
    const isSent = sent.some(({ type }) => type === 'attempt-start' || type === 'cost');
    if (completion.shared !== true && isSent)
      violations.push(`a request was sent for call ${number}, which got a cached answer`);
    if (completion.cost.usd !== 0 || completion.cost.attemptsUsd !== 0)
      violations.push(`the cached answer of call ${number} costs ${completion.cost.usd}`);
    if (completion.finishReason === 'length' && completion.shared !== true)
      violations.push(`call ${number} got an answer from the cache that was cut`);
    return violations;
  });
}

/** Denied tool calls that reached a caller, and allowed ones that are wrong. */
function wronglyCalled({ outcomes }: Run, { guard, askers }: LayerPlan): string[] {
  return outcomes.flatMap(({ plan: { number }, completion, toolNames }) => {
    const asker = askers.get(number);
    const called = completion?.toolCalls ?? [];
    const violations: string[] = [];
    if (
      guard !== undefined &&
      [...toolNames, ...called.map(({ name }) => name)].includes(destructiveTool)
    )
      violations.push(`call ${number} got a denied tool call`);
    const [to = 'nobody'] = asker?.addresses ?? [];
    for (const { input } of called) {
      if (JSON.stringify(input) !== JSON.stringify({ to }))
        violations.push(`call ${number}: a tool is called with ${JSON.stringify(input)}`);
    }
    const isAnswered = completion?.finishReason === 'tool_calls';
    if (isAnswered && !called.some(({ name }) => name !== destructiveTool))
      violations.push(`call ${number} did not get the tool call that is allowed`);
    return violations;
  });
}

/** All violations of redaction, cache and guard in a run. */
export function layerViolationsIn(run: Run): readonly string[] {
  const { layers } = run;
  if (layers === undefined) return [];
  return [...leaked(run, layers), ...wronglyCached(run, layers), ...wronglyCalled(run, layers)];
}

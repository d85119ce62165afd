import type { RouterEvent } from '../../src/index.ts';
import { promptOf, rightAnswer, rightObject } from './answers.ts';
import type { Outcome } from './caller.ts';
import { neverAskedIn, unansweredIn } from './could-have-answered.ts';
import type { Run } from './simulate.ts';
import type { Entry } from './vendor.ts';

type EventOf<Type extends RouterEvent['type']> = Extract<RouterEvent, { type: Type }>;

/** The events of each call, in order. */
function byCall({ events }: Run): ReadonlyMap<string, readonly RouterEvent[]> {
  const calls = new Map<string, RouterEvent[]>();
  for (const event of events) {
    if (event.callId === null) continue;
    const known = calls.get(event.callId) ?? [];
    known.push(event);
    calls.set(event.callId, known);
  }
  return calls;
}

const isType =
  <Type extends RouterEvent['type']>(type: Type) =>
  (event: RouterEvent): event is EventOf<Type> =>
    event.type === type;

/** What is given as an answer is the right one, whole. */
function wrongAnswers({ outcomes }: Run): string[] {
  return outcomes.flatMap(({ plan, completion, seen, hasLeft }) => {
    const said: string[] = [];
    const { number, wantsObject } = plan;
    const right = wantsObject ? JSON.stringify(rightObject(number)) : rightAnswer(number);
    if (completion !== undefined) {
      if (completion.text !== right) {
        said.push(`call ${number}: "${completion.text}" is given as a whole answer`);
      }
      if (!hasLeft && seen !== completion.text) {
        said.push(`call ${number}: its reader has "${seen}", its completion "${completion.text}"`);
      }
      if (wantsObject && JSON.stringify(completion.object) !== right) {
        said.push(`call ${number}: the object is not what was asked for`);
      }
    }
    return said;
  });
}

/** Every call settles, with an answer or an error of ours; it has one beginning and one end. */
function illFormed(run: Run): string[] {
  const said: string[] = [];
  const { world, outcomes } = run;
  if (outcomes.length < world.calls.length) {
    said.push(`${world.calls.length - outcomes.length} calls never settled`);
  }
  for (const { plan, stray } of outcomes) {
    if (stray !== undefined) said.push(`${promptOf(plan.number)} threw ${String(stray)}`);
  }
  for (const [id, events] of byCall(run)) {
    const told = events.map(({ type }) => type);
    const ends = events.filter(isType('attempt-end'));
    const starts = events.filter(isType('attempt-start'));
    const [end, ...more] = events.filter(isType('call-end'));
    if (told[0] !== 'call-start') said.push(`${id} begins with ${told[0]}`);
    if (told.at(-1) !== 'call-end' || more.length > 0)
      said.push(`${id} has not one end, at the end`);
    if (told.filter((type) => type === 'call-start').length > 1) said.push(`${id} begins twice`);
    if (end !== undefined && end.attempts !== starts.length) {
      said.push(`${id} tells of ${end.attempts} attempts and began ${starts.length}`);
    }
    for (const { attempt, target } of starts) {
      const own = ends.filter((each) => each.attempt === attempt && each.target === target);
      if (own.length !== 1) said.push(`${id}: attempt ${attempt} has ${own.length} ends`);
    }
    if (ends.length > starts.length) said.push(`${id} has more ends than attempts`);
  }
  return said;
}

/** No call makes more attempts than it may, or outlives its deadline. */
function overdone(run: Run): string[] {
  const said: string[] = [];
  for (const [id, events] of byCall(run)) {
    const tier = run.world.tiers[events[0]?.tier ?? ''];
    const attempts = events.filter(isType('attempt-start')).length;
    const { maxAttempts = 6 } = tier ?? {};
    if (attempts > maxAttempts) said.push(`${id}: ${attempts} attempts, ${maxAttempts} allowed`);
  }
  for (const { plan, startedAt, endedAt } of run.outcomes) {
    const totalMs = plan.totalMs ?? run.world.tiers[plan.tier]?.timeouts?.totalMs ?? 0;
    // A slow reader still reads what came in time.
    if (plan.readMs === 0 && endedAt - startedAt > totalMs) {
      said.push(`call ${plan.number} took ${endedAt - startedAt} ms, ${totalMs} allowed`);
    }
  }
  return said;
}

/** What a vendor bills is in exactly one `cost` event, and nothing else is. */
function wronglyBilled({ events, ledger }: Run): string[] {
  const costs = events.filter(isType('cost'));
  const said: string[] = [];
  const idOf = ({ usage }: EventOf<'cost'>): number => usage.inputTokens - 10_000;
  for (const { id, told, target } of ledger) {
    const own = costs.filter((cost) => idOf(cost) === id);
    if (told === undefined) {
      if (own.length > 0) said.push(`request ${id} (${target}) was not billed, and is told`);
      continue;
    }
    if (own.length !== 1) said.push(`request ${id} (${target}) is in ${own.length} cost events`);
    const least = own[0]?.usage.outputTokens ?? Number.POSITIVE_INFINITY;
    if (least < told.outputTokens) said.push(`request ${id} (${target}) is told to be cheaper`);
  }
  for (const cost of costs) {
    if (ledger[idOf(cost)] === undefined) said.push(`a cost event of ${cost.target} is nobody's`);
  }
  return said;
}

/** When all is quiet, nothing is left: no timer, listener, place or request. */
function leftBehind({ quiet, pendingAfterClose, outcomes, ledger, strays }: Run): string[] {
  const said: string[] = strays.map((stray) => `a rejection that nobody took: ${String(stray)}`);
  if (quiet === undefined) return said;
  if (quiet.pending > 0) said.push(`${quiet.pending} timers are left`);
  if (pendingAfterClose > 0) said.push(`${pendingAfterClose} timers outlive the router`);
  if (quiet.snapshot.callsInFlight > 0) said.push('calls are in flight for ever');
  for (const { plan, listeners } of outcomes) {
    if (listeners > 0) said.push(`call ${plan.number} left ${listeners} listeners on its signal`);
  }
  for (const { id, target, endedAt } of ledger) {
    if (endedAt === undefined) said.push(`request ${id} to ${target} is open for ever`);
  }
  for (const [id, target] of Object.entries(quiet.snapshot.targets)) {
    for (const { limits } of target.keys ?? [target]) {
      if ((limits?.queued ?? 0) > 0) said.push(`${id}: somebody waits for ever`);
    }
  }
  return said;
}

/** No circuit opens over a vendor that was well all the time, or over an abort. */
function wronglyOpened({ events, world }: Run): string[] {
  const fine = new Set(
    world.vendors
      .filter(
        ({ weather, quota, prefill }) => weather.length === 0 && !quota && prefill !== 'refuses',
      )
      .map(({ name }) => name),
  );
  return events.filter(isType('circuit-open')).flatMap(({ target, cause }) => {
    if (cause === 'aborted') return [`an abort opened the circuit of ${target}`];
    const [vendor = ''] = target.split('/');
    return fine.has(vendor) ? [`${target} was well, and its circuit opened over ${cause}`] : [];
  });
}

/** Whether two requests were under way at the same time. */
function overlap(a: Entry, b: Entry): boolean {
  const [aEnd, bEnd] = [a.endedAt ?? a.at, b.endedAt ?? b.at];
  return Math.min(aEnd, bEnd) > Math.max(a.at, b.at);
}

/** A half-open circuit is probed by one request at a time. */
function crowdedProbes({ events, world, ledger }: Run): string[] {
  const tiers = Object.values(world.tiers);
  // Where the least bad target is asked when none is left, it is asked whatever its circuit.
  if (tiers.some(({ whenAllOpen }) => whenAllOpen !== 'fail-fast')) return [];
  const said: string[] = [];
  for (const [at, event] of events.entries()) {
    if (event.type !== 'circuit-half-open') continue;
    const end = events
      .slice(at + 1)
      .find(
        (each) =>
          (each.type === 'circuit-close' || each.type === 'circuit-open') &&
          each.target === event.target,
      );
    const until = end?.at ?? Number.POSITIVE_INFINITY;
    const probes = ledger.filter(
      (entry) => entry.target === event.target && entry.at >= event.at && entry.at < until,
    );
    const pair = probes.find((probe, index) =>
      probes.slice(index + 1).some((other) => overlap(probe, other)),
    );
    if (pair !== undefined) said.push(`${event.target} was probed by two requests at a time`);
  }
  return said;
}

/** A vendor that names the time is not asked before it by the call that it named it to. */
function askedTooSoon({ ledger, world }: Run): string[] {
  const isPatient = Object.values(world.tiers).every(
    ({ whenAllOpen }) => whenAllOpen === 'fail-fast',
  );
  if (!isPatient) return [];
  return ledger.flatMap(({ id, call, target, endedAt = 0, notBefore = 0 }) => {
    const next = ledger.find(
      (other) =>
        other.call === call &&
        other.target === target &&
        other.at > endedAt &&
        other.at < notBefore,
    );
    return next === undefined ? [] : [`${target} was asked too soon after request ${id}`];
  });
}

/** The trail of a call tells of the attempts that its events tell of. */
function untoldAttempts(run: Run): string[] {
  const calls = byCall(run);
  return run.outcomes.flatMap(({ plan, completion, error }: Outcome) => {
    const told = completion?.trail ?? error?.trail;
    if (told === undefined || plan.singleFlight) return [];
    const own = [...calls.values()].find((events) => events[0]?.tags.plan === String(plan.number));
    const attempts = (own ?? []).filter(isType('attempt-start')).length;
    const lines = told.filter(({ outcome }) => outcome !== 'skipped');
    return lines.length < attempts
      ? [`call ${plan.number}: ${attempts} attempts, ${lines.length} lines in its trail`]
      : [];
  });
}

/** Of attempts at the same time, the first to begin ends the others. */
function uselessAttempts(run: Run): string[] {
  return [...byCall(run)].flatMap(([id, events]) =>
    events.filter(isType('first-token')).flatMap(({ at, target: winner }) =>
      events.filter(isType('attempt-start')).flatMap((start) => {
        const end = events
          .filter(isType('attempt-end'))
          .find(({ attempt, target }) => attempt === start.attempt && target === start.target);
        const goesOn = start.target !== winner && start.at < at && (end?.at ?? at) > at;
        return goesOn ? [`${id}: ${start.target} goes on although ${winner} has begun`] : [];
      }),
    ),
  );
}

/** Everything that is wrong with a run. */
export function violationsIn(run: Run): readonly string[] {
  return [
    ...illFormed(run),
    ...wrongAnswers(run),
    ...overdone(run),
    ...wronglyBilled(run),
    ...leftBehind(run),
    ...wronglyOpened(run),
    ...crowdedProbes(run),
    ...askedTooSoon(run),
    ...untoldAttempts(run),
    ...uselessAttempts(run),
    ...unansweredIn(run),
    ...neverAskedIn(run),
  ];
}

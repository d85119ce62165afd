/**
 * Retry storm: every target is down for a minute while 1,000 callers make a call every ten seconds. Measures the requests
 * per call that the vendors receive, and the recovery time. Uses virtual time with seeded randomness.
 * `npm run bench:storm`
 */
import { createRouter } from 'signalbox';
import { fakeProvider, fakeRuntime } from 'signalbox/testing';

const callers = 1_000;
const everyMs = 10_000;
const phases = { calmMs: 20_000, outageMs: 60_000, afterMs: 60_000 };
/** Maximum requests per call, and maximum recovery time. */
const limits = { requestsPerCall: 1.1, recoveryMs: 30_000 };

function setUp(isDown: (elapsedMs: number) => boolean) {
  const runtime = fakeRuntime({ seed: 1, time: 'auto' });
  const startedAt = runtime.now();
  const elapsedMs = (): number => runtime.now() - startedAt;
  const vendor = () =>
    fakeProvider(
      () =>
        isDown(elapsedMs())
          ? { error: 'overloaded', status: 503, firstTokenDelayMs: 50 }
          : { text: 'hi', firstTokenDelayMs: 200 },
      { runtime },
    );
  const providers = { one: vendor(), two: vendor(), three: vendor() };
  const router = createRouter({
    runtime,
    providers,
    tiers: { t: ['one/m', 'two/m', 'three/m'] },
  });
  /** Arrival time of each request since the start, in milliseconds. */
  const requests = (): readonly number[] =>
    Object.values(providers).flatMap(({ calls }) => calls.map(({ at }) => at - startedAt));
  return { runtime, router, elapsedMs, requests };
}

const downAt = phases.calmMs;
const upAt = downAt + phases.outageMs;
const endAt = upAt + phases.afterMs;
const { runtime, router, elapsedMs, requests } = setUp((ms) => ms >= downAt && ms < upAt);

type Second = { calls: number; answered: number; byFirst: number; requests: number };
const seconds: Second[] = Array.from({ length: Math.ceil(endAt / 1_000) }, () => ({
  calls: 0,
  answered: 0,
  byFirst: 0,
  requests: 0,
}));
const second = (atMs: number): Second | undefined => seconds[Math.floor(atMs / 1_000)];

async function caller(index: number): Promise<void> {
  await runtime.sleep(((index + 1) * everyMs) / callers);
  for (let atMs = elapsedMs(); atMs < endAt; atMs = elapsedMs()) {
    const now = second(atMs);
    if (now !== undefined) now.calls += 1;
    const answer = await router.complete('t', 'hi').catch(() => undefined);
    if (now !== undefined && answer !== undefined) {
      now.answered += 1;
      if (answer.target === 'one/m') now.byFirst += 1;
    }
    await runtime.sleep(everyMs - (elapsedMs() - atMs));
  }
}

await Promise.all(Array.from({ length: callers }, (_, index) => caller(index)));
for (const atMs of requests()) {
  const then = second(atMs);
  if (then !== undefined) then.requests += 1;
}

function sum(fromMs: number, toMs: number): Second & { readonly perCall: number } {
  const total: Second = { calls: 0, answered: 0, byFirst: 0, requests: 0 };
  for (const each of seconds.slice(fromMs / 1_000, toMs / 1_000)) {
    for (const name of Object.keys(total) as (keyof Second)[]) total[name] += each[name];
  }
  return { ...total, perCall: total.requests / total.calls };
}

const rows = {
  'before the outage': sum(0, downAt),
  'first second of it': sum(downAt, downAt + 1_000),
  'second 2 to 5': sum(downAt + 1_000, downAt + 5_000),
  'rest of the outage': sum(downAt + 5_000, upAt),
  'first 5 s after': sum(upAt, upAt + 5_000),
  'rest of the run': sum(upAt + 5_000, endAt),
};
console.log(`${callers} callers, one call every ${everyMs / 1_000} s each, three targets, all`);
console.log(`down for ${phases.outageMs / 1_000} s\n`);
console.log(
  '                       calls   requests        per call   answered   by the first target',
);
const share = (part: number, of: number): string => `${((100 * part) / of).toFixed(0)} %`;
for (const [name, { calls, requests, perCall, answered, byFirst }] of Object.entries(rows)) {
  console.log(
    name.padEnd(20) +
      String(calls).padStart(8) +
      String(requests).padStart(11) +
      perCall.toFixed(3).padStart(16) +
      share(answered, calls).padStart(11) +
      share(byFirst, calls).padStart(22),
  );
}

/** Requests per call when all callers call at the same moment, per round. */
async function runSynchronized(rounds: number): Promise<readonly number[]> {
  const storm = setUp(() => true);
  const perCall: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const before = storm.requests().length;
    const calls = Array.from({ length: callers }, () => storm.router.complete('t', 'hi'));
    await Promise.allSettled(calls);
    perCall.push((storm.requests().length - before) / callers);
  }
  return perCall;
}

// The circuits cannot open before the first answers, so each call tries all three targets.
const perRound = (await runSynchronized(3)).map((each) => each.toFixed(3)).join(', ');
console.log(`\nall callers at once, in three rounds: ${perRound} requests per call`);

const recoveredAfter = seconds
  .slice(upAt / 1_000)
  .findIndex(({ calls, byFirst }) => calls > 0 && byFirst === calls);
const { perCall } = rows['rest of the outage'];
const checks = {
  [`${perCall.toFixed(3)} requests per call while all targets are down (at most ${limits.requestsPerCall})`]:
    perCall <= limits.requestsPerCall,
  [`all calls answered by the first target ${recoveredAfter} s after its recovery (at most ${limits.recoveryMs / 1_000})`]:
    recoveredAfter >= 0 && recoveredAfter * 1_000 <= limits.recoveryMs,
};
console.log();
for (const [what, holds] of Object.entries(checks))
  console.log(`${holds ? 'pass' : 'FAIL'}  ${what}`);
if (!Object.values(checks).every(Boolean)) process.exitCode = 1;

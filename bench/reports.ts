// Time and memory of reports: 10^6 calls with 10^5 values of a tag, a tenth of which have almost all calls.
import { createReports, type Reports } from '../src/apps/reports/create-reports.ts';
import type { RouterEvent } from '../src/protocol/events.ts';

const calls = 1_000_000;
const values = 100_000;
const hourMs = 3_600_000;

/** The same numbers each time, from 0 to 1. */
function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function heapMb(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 1e6;
}

/** Adds the three events of each call that have figures. */
function addCalls(reports: Reports, hours: number): void {
  const random = numbersFrom(1);
  const breakdown = { input: 0, cachedInput: 0, cacheWrite: 0, output: 0 };
  for (let call = 0; call < calls; call += 1) {
    const user = Math.floor(random() ** 3 * values);
    const durationMs = 200 + 5_000 * random() ** 4;
    const common = {
      at: Math.floor((call / calls) * hours * hourMs),
      callId: String(call),
      tier: 'fast',
      tags: { user: `user-${user}` },
    };
    const target = `vendor/model-${call % 5}`;
    const usd = Math.round(random() * 1e6) / 1e9;
    const usage = { inputTokens: 1_000, outputTokens: 100, totalTokens: 1_100 };
    const times = { durationMs, firstTokenMs: durationMs / 4 };
    const events: readonly RouterEvent[] = [
      { ...common, type: 'cost', target, usd, usage, breakdown, priced: 'exact' },
      {
        ...{ ...common, ...times, type: 'attempt-end', target, attempt: 1 },
        ...{ outcome: 'ok', verdict: 'done' },
      },
      { ...common, ...times, type: 'call-end', target, status: 'ok', attempts: 1, usd },
    ];
    for (const event of events) reports.add(event);
  }
}

for (const [maxSeries, hours] of [
  [1_000, 1],
  [1_000, 24],
  [10_000, 1],
  [10_000, 24],
] as const) {
  const before = heapMb();
  const reports = createReports({ by: ['user', 'target', 'tier'], maxSeries });
  const started = performance.now();
  addCalls(reports, hours);
  const us = ((performance.now() - started) * 1_000) / calls;
  const mb = heapMb() - before;
  const rows = reports.report({ by: 'user' }).length;
  const kb = (mb * 1_000) / (maxSeries * hours);
  console.log(
    `maxSeries ${maxSeries}, ${hours} windows: ${us.toFixed(1)} µs a call, ${mb.toFixed(1)} MB, ${kb.toFixed(2)} kB per row kept; ${rows} rows`,
  );
}

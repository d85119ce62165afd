/**
 * Benefit and cost of hedging, on virtual time with seeded randomness. A first token takes 80 to 160 ms, and one in twenty
 * is two seconds late. `npm run bench:hedge`
 */
import { createRouter, type Hedge } from 'signalbox';
import { fakeProvider, fakeRuntime } from 'signalbox/testing';

const calls = 5_000;

type Figures = { readonly p50: number; readonly p99: number; readonly extra: number };

async function measure(hedge: Hedge | undefined): Promise<Figures> {
  const runtime = fakeRuntime({ seed: 1, time: 'auto' });
  const firstTokenDelayMs = (): number => {
    const usualMs = 80 + runtime.random() * 80;
    return runtime.random() < 0.05 ? usualMs + 2_000 : usualMs;
  };
  const vendor = () =>
    fakeProvider(() => ({ text: 'hi', firstTokenDelayMs: firstTokenDelayMs() }), { runtime });
  const providers = { one: vendor(), two: vendor() };
  const router = createRouter({
    runtime,
    providers,
    tiers: { t: { targets: ['one/m', 'two/m'], ...(hedge !== undefined && { hedge }) } },
  });
  const tookMs: number[] = [];
  for (let call = 0; call < calls; call += 1) {
    const { latency } = await router.complete('t', 'hi');
    tookMs.push(latency.firstTokenMs ?? latency.totalMs);
  }
  const sorted = tookMs.toSorted((a, b) => a - b);
  const at = (quantile: number): number => Math.round(sorted[Math.ceil(quantile * calls) - 1] ?? 0);
  const requests = providers.one.calls.length + providers.two.calls.length;
  return { p50: at(0.5), p99: at(0.99), extra: (100 * (requests - calls)) / calls };
}

const without = await measure(undefined);
const rows: Record<string, Hedge | undefined> = {
  'no hedge': undefined,
  'afterMs: 200': { afterMs: 200 },
  'percentile: 95': { percentile: 95 },
  'percentile: 90': { percentile: 90 },
};
console.log(`first token of ${calls} calls, 5 % of them 2 s late`);
console.log('hedge             p50 ms   p99 ms   p99 reduced   extra requests');
for (const [name, hedge] of Object.entries(rows)) {
  const { p50, p99, extra } = await measure(hedge);
  const reduction = (100 * (without.p99 - p99)) / without.p99;
  console.log(
    `${name.padEnd(15)}${String(p50).padStart(9)}${String(p99).padStart(9)}${`${reduction.toFixed(1)} %`.padStart(14)}${`${extra.toFixed(1)} %`.padStart(17)}`,
  );
}

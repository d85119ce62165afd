/**
 * CPU time per call, stream and chunk of signalbox, the bare SDKs and other libraries. They take turns within one run
 * against one server. `node bench/calls.ts concurrency=16 rounds=9 wire=chat pace=all`; `pace` is the time between two
 * chunks in milliseconds.
 */
import { type Contender, racesAt } from './contenders.ts';
import { argumentsOf, cpuOf, median, medianRatio } from './measure.ts';
import { startVendors } from './vendors.ts';

const { concurrency = '16', rounds = '7', wire = '', pace } = argumentsOf();
const callsInFlight = Number(concurrency);
const calls = callsInFlight === 1 ? 1_000 : 3_000;
const usualPace = callsInFlight > 16 ? '10' : '1';
const paced = pace ?? usualPace;
const streams = (callsInFlight === 1 ? 10 : callsInFlight * 4) * (paced === 'all' ? 10 : 1);
const deltas = 101;

/** CPU time in microseconds. */
type Sample = { readonly call: number; readonly stream: number; readonly chunk: number };

const vendors = await startVendors();

/** `longer` streams a hundred more chunks than `shorter`. */
async function sample(longer: Contender, shorter: Contender): Promise<Sample> {
  const call = await cpuOf(calls, callsInFlight, longer.complete);
  const stream = await cpuOf(streams, callsInFlight, shorter.stream);
  const longStream = await cpuOf(streams, callsInFlight, longer.stream);
  return { call, stream, chunk: (longStream - stream) / (deltas - 1) };
}

const shorter = racesAt(vendors.url, `1d${paced}`);
for (const [at, race] of racesAt(vendors.url, `${deltas}d${paced}`).entries()) {
  if (wire !== '' && race.wire !== wire) continue;
  const pairs = race.contenders.map(
    (each, index) => [each, shorter[at]?.contenders[index] ?? each] as const,
  );
  // Warm-up: the JIT compiler needs about 40,000 calls per contender.
  for (const [longer, shorter] of pairs) {
    await cpuOf(40_000, 16, longer.complete);
    for (let round = 0; round < 4; round++) await sample(longer, shorter);
  }
  const samples = pairs.map((): Sample[] => []);
  for (let round = 0; round < Number(rounds); round++) {
    for (const [index, pair] of pairs.entries()) samples[index]?.push(await sample(...pair));
  }
  for (const [index, [{ name }]] of pairs.entries()) {
    const figures = (['call', 'stream', 'chunk'] as const).map((what) => {
      const figuresOf = (at: number) => (samples[at] ?? []).map((each) => each[what]);
      const figures = figuresOf(index);
      const ratio = medianRatio(figures, figuresOf(0));
      return `${what} ${median(figures).toFixed(1).padStart(6)} us (${ratio.toFixed(2)})`;
    });
    console.log(race.wire.padEnd(9), name.padEnd(17), figures.join('   '));
  }
}
vendors.stop();
process.exit();

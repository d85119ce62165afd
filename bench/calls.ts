import { type Contender, racesAt } from './contenders.ts';
import { cpuOf, median } from './measure.ts';
import { startVendors } from './vendors.ts';

const {
  concurrency = '16',
  rounds = '7',
  only = '',
} = Object.fromEntries(process.argv.slice(2).map((each) => each.split('=')));
const atOnce = Number(concurrency);
const calls = Number(process.env.CALLS ?? (atOnce === 1 ? 300 : 800));
const streams = atOnce === 1 ? 10 : atOnce * 4;
const paceMs = atOnce > 16 ? 10 : 1;
const deltas = 101;

const vendors = await startVendors();
const long = racesAt(vendors.url, `${deltas}d${paceMs}`);
const short = racesAt(vendors.url, `1d${paceMs}`);

type Sample = { call: number; stream: number; chunk: number };

async function sample(longer: Contender, shorter: Contender): Promise<Sample> {
  const call = await cpuOf(calls, atOnce, longer.complete);
  const stream = await cpuOf(streams, atOnce, shorter.stream);
  const whole = await cpuOf(streams, atOnce, longer.stream);
  return { call, stream, chunk: (whole - stream) / (deltas - 1) };
}

for (const [at, race] of long.entries()) {
  if (only !== '' && race.wire !== only) continue;
  const others = short[at]?.contenders ?? [];
  const pairs = race.contenders.map((each, index) => [each, others[index] ?? each] as const);
  for (const pair of pairs) for (let warm = 0; warm < 3; warm++) await sample(...pair);
  const samples = pairs.map((): Sample[] => []);
  for (let round = 0; round < Number(rounds); round++) {
    for (const [index, pair] of pairs.entries()) samples[index]?.push(await sample(...pair));
  }
  for (const [index, [{ name }]] of pairs.entries()) {
    const line = (['call', 'stream', 'chunk'] as const).map((what) => {
      const own = samples[index]?.map((each) => each[what]) ?? [];
      const bare = samples[0]?.map((each) => each[what]) ?? [];
      const ratios = own.map((value, round) => value / (bare[round] ?? Number.NaN));
      return `${what} ${median(own).toFixed(1)} us (${median(ratios).toFixed(2)})`;
    });
    console.log(race.wire.padEnd(10), name.padEnd(20), line.join('  '));
  }
}
vendors.stop();
process.exit();

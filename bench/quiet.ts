/**
 * CPU time of the first thousand calls after an idle period, in which garbage was collected while no call was running. V8
 * then discards compiled code. `node --expose-gc bench/quiet.ts concurrency=16 rounds=9 wire=chat`
 */
import { racesAt } from './contenders.ts';
import { argumentsOf, cpuOf, median, medianRatio } from './measure.ts';
import { startVendors } from './vendors.ts';

const { concurrency = '16', rounds = '9', wire = '' } = argumentsOf();
const calls = 1_000;
/** After this many collections V8 has discarded the hidden classes of unused objects. */
const collections = 3;

const { gc } = globalThis;
if (gc === undefined) throw new Error('run with --expose-gc');
const vendors = await startVendors();

for (const { wire: raceWire, contenders } of racesAt(vendors.url, '1d0')) {
  if (wire !== '' && raceWire !== wire) continue;
  for (const { complete } of contenders) await cpuOf(20_000, 16, complete);
  const samples = contenders.map((): number[] => []);
  for (let round = 0; round < Number(rounds); round++) {
    for (const [index, { complete }] of contenders.entries()) {
      for (let each = 0; each < collections; each++) gc();
      samples[index]?.push(await cpuOf(calls, Number(concurrency), complete));
    }
  }
  for (const [index, { name }] of contenders.entries()) {
    const figures = samples[index] ?? [];
    const ratio = medianRatio(figures, samples[0] ?? []);
    const text = `${median(figures).toFixed(0).padStart(5)} us (${ratio.toFixed(2)})`;
    console.log(raceWire.padEnd(9), name.padEnd(17), text);
  }
}
vendors.stop();
process.exit();

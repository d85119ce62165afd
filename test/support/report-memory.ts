/** Prints what reports of so many calls, with a tenth as many values of a tag, take, as JSON: in a process of its own, for
 * its heap. `node --expose-gc report-memory.ts 1000000`
 */
import { createReports } from '../../src/apps/reports/create-reports.ts';
import { addCall } from './report-events.ts';

const calls = Number(process.argv[2]);
const values = calls / 10;
const maxSeries = 500;
const maxWindows = 4;

function heap(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

const options = { by: ['user'], windowMs: 1_000, maxWindows, maxSeries } as const;
const warmUp = createReports(options);
for (let call = 0; call < 10_000; call += 1) addCall(warmUp, String(call), 0.001);
const before = heap();
const reports = createReports(options);
let nano = 0;
for (let call = 0; call < calls; call += 1) {
  // Every value comes again and again, in another order; one of them has a tenth of the spending, late.
  const isHeavy = call > calls * 0.99;
  const user = isHeavy ? 'heavy' : `user-${Math.imul(call, 7_919) % values}`;
  nano += isHeavy ? 10_000_000 : 1_000_000;
  addCall(reports, user, isHeavy ? 0.01 : 0.001, Math.floor((call / calls) * maxWindows * 1_000));
}
const bytes = heap() - before;
const rows = reports.report();
const { length: keys } = rows;
const sum = rows.reduce((total, { usd }) => total + Math.round((usd ?? 0) * 1e9), 0);
const requests = rows.reduce((total, row) => total + row.requests, 0);
const first = rows[0];
console.log(JSON.stringify({ bytes, keys, missingNano: nano - sum, requests, first }));

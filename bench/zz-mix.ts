import { writeFileSync } from 'node:fs';
import { PerformanceObserver } from 'node:perf_hooks';
import { racesAt } from './contenders.ts';
import { argumentsOf, runMany } from './measure.ts';
import { startVendors } from './vendors.ts';
const { wire = 'chat', rounds = '40', who = '0,1', n = '3000' } = argumentsOf();
const vendors = await startVendors();
const race = racesAt(vendors.url, `1d1`).find((r) => r.wire === wire)!;
const ids = who.split(',').map(Number);
for (const w of (process.env.WARM ?? who).split(',').map(Number)) await runMany(40000, 16, race.contenders[w]!.complete);
const windows: [number, bigint, bigint][] = []; const cpu: Record<number, number[]> = {};
let gc = 0, gcs: Record<number, number> = {};
new PerformanceObserver((l) => { for (const e of l.getEntries()) gc += e.duration; }).observe({ entryTypes: ['gc'] });
for (let r = 0; r < Number(rounds); r++) for (const w of ids) {
  gc = 0; const c0 = process.cpuUsage(); const a = process.hrtime.bigint(); await runMany(Number(n), 16, race.contenders[w]!.complete); const b = process.hrtime.bigint();
  const c = process.cpuUsage(c0); await new Promise(r => setTimeout(r, 5)); (cpu[w] ??= []).push((c.user + c.system) / Number(n)); gcs[w] = (gcs[w] ?? 0) + gc * 1000 / Number(n) / Number(rounds); windows.push([w, a, b]);
}
for (const w of ids) { const s = cpu[w]!.sort((a, b) => a - b); console.log(w, race.contenders[w]!.name, s[s.length >> 1]!.toFixed(1), 'gc', gcs[w]!.toFixed(1)); }
writeFileSync('/tmp/windows.json', JSON.stringify(windows.map(([w, a, b]) => [w, Number(a) / 1e9, Number(b) / 1e9])));
vendors.stop(); process.exit();

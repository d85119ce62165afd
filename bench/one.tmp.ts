import { Session } from 'node:inspector/promises';
import { writeFileSync } from 'node:fs';
import { racesAt } from './contenders.ts';
import { runMany } from './measure.ts';
import { startVendors } from './vendors.ts';
const [wire, name, mode, count, pace = '101d1', conc = '16'] = process.argv.slice(2);
const vendors = await startVendors();
const race = racesAt(vendors.url, pace).find((r) => r.wire === wire);
const c = race?.contenders.find((x) => x.name.includes(name ?? ''));
const task = () => (mode === 'call' ? c!.complete() : c!.stream());
const s = new Session();
s.connect();
const all: string[] = [];
for (let i = 0; i < 8; i++) {
  if (i === 7 && process.env.PROF) { await s.post('Profiler.enable'); await s.post('Profiler.setSamplingInterval', { interval: 200 }); await s.post('Profiler.start'); }
  const t = process.cpuUsage();
  await runMany(Number(count), Number(conc), task);
  const u = process.cpuUsage(t);
  all.push(`${Math.round(u.user / Number(count))}+${Math.round(u.system / Number(count))}`);
}
if (process.env.PROF) writeFileSync('/tmp/prof/p.cpuprofile', JSON.stringify((await s.post('Profiler.stop')).profile));
console.log(wire, name, mode, ...all);
import { readdirSync, readFileSync } from 'node:fs';
if (process.env.THREADS) for (const t of readdirSync('/proc/self/task')) { const f = readFileSync(`/proc/self/task/${t}/stat`, 'utf8').split(' '); console.log('  thread', t, f[1], 'user', f[13], 'sys', f[14]); }
vendors.stop();
process.exit();

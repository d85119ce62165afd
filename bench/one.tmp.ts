import { racesAt } from './contenders.ts';
import { runMany } from './measure.ts';
import { startVendors } from './vendors.ts';

const [wire, name, mode, count] = process.argv.slice(2);
const vendors = await startVendors();
const race = racesAt(vendors.url, '101d1').find((r) => r.wire === wire);
const c = race?.contenders.find((x) => x.name.includes(name ?? ''));
await runMany(100, 16, () => (mode === 'call' ? c!.complete() : c!.stream()));
const t = process.cpuUsage();
await runMany(Number(count), 16, () => (mode === 'call' ? c!.complete() : c!.stream()));
const u = process.cpuUsage(t);
console.log((u.user + u.system) / Number(count), 'us each');
vendors.stop();
process.exit();

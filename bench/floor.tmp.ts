import http from 'node:http';
import { runMany } from './measure.ts';
import { startVendors } from './vendors.ts';
const [kind, count, pace = '101d1', conc='16'] = process.argv.slice(2);
const vendors = await startVendors();
new Headers();
const d: any = Reflect.get(globalThis, Symbol.for('undici.globalDispatcher.2'));
const body = JSON.stringify({ model: 'x', stream: pace !== 'unary', messages: [{ role: 'user', content: 'hello' }] });
let chunks = 0;
const tasks: any = {
  dispatch: () => new Promise<void>((resolve, reject) => {
    d.dispatch({ origin: vendors.url, path: `/${pace}/v1/chat/completions`, method: 'POST', headers: { 'content-type': 'application/json' }, body }, {
      onRequestStart() {}, onResponseStart() {}, onResponseData(_: any, p: any) { chunks++; }, onResponseEnd() { resolve(); }, onResponseError(_: any, e: any) { reject(e); },
    });
  }),
  http: () => new Promise<void>((resolve) => {
    const r = http.request(`${vendors.url}/${pace}/v1/chat/completions`, { method: 'POST', agent }, (res) => { res.on('data', () => chunks++); res.on('end', resolve); });
    r.end(body);
  }),
  fetch: async () => { const r = await fetch(`${vendors.url}/${pace}/v1/chat/completions`, { method: 'POST', body }); for await (const _ of r.body as any) chunks++; },
};
const agent = new http.Agent({ keepAlive: true });

const all: string[] = [];
for (let i = 0; i < 6; i++) {
  chunks = 0;
  const t = process.cpuUsage();
  await runMany(Number(count), Number(conc), tasks[kind!]);
  const u = process.cpuUsage(t);
  all.push(`${Math.round(u.user / Number(count))}+${Math.round(u.system / Number(count))}`);
}
console.log(process.version, kind, pace, ...all, 'pieces', chunks / Number(count));
vendors.stop();
process.exit();

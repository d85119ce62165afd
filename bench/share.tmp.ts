import { Session } from 'node:inspector/promises';
import { writeFileSync } from 'node:fs';
import { createRouter, type Provider } from 'signalbox';
import { runMany } from './measure.ts';
const [mode, count, deltas = '1'] = process.argv.slice(2);
const n = Number(deltas);
const usage = { inputTokens: 20, outputTokens: 100, totalTokens: 120 };
async function* answerOf(watch: any): AsyncGenerator<any> {
        await null;
        watch.connected();
        yield { type: 'open', servedModel: 'gpt-5.4-mini' };
        for (let i = 0; i < n; i++) { watch.bytes(); yield { type: 'text-delta', delta: 'x' }; }
        yield { type: 'part-end', part: { type: 'text', text: 'x'.repeat(n) } };
        yield { type: 'finish', finishReason: 'stop', usage };
}
const provider: Provider = {
  wire: 'echo', priceList: 'openai',
  capabilities: () => new Set(['tools']),
  preload: async () => {},
  prepare() {
    return {
      warnings: [],
      send: ({ watch }) => answerOf(watch),
    };
  },
};
const router = createRouter({ providers: { a: provider, b: provider }, tiers: { fast: ['a/gpt-5.4-mini', 'b/gpt-5.4-mini'] } });
const task = async () => { if (mode === 'call') { await router.complete('fast', 'hello', {wire:'unary'}); return; } for await (const _ of router.stream('fast', 'hello')); };
await runMany(n > 50 ? 1000 : 20000, 16, task);
const s = new Session();
s.connect();
if (process.env.PROF) { await s.post('Profiler.enable'); await s.post('Profiler.setSamplingInterval', { interval: 200 }); await s.post('Profiler.start'); }
const all: number[] = [];
for (let i = 0; i < 10; i++) {
const t = process.cpuUsage();
await runMany(Number(count), 16, task);
const u = process.cpuUsage(t);
all.push((u.user + u.system) / Number(count));
}
all.sort((a, b) => a - b);
if (process.env.PROF) writeFileSync('/tmp/prof/p.cpuprofile', JSON.stringify((await s.post('Profiler.stop')).profile));
console.log(mode, deltas, 'min', all[0]!.toFixed(1), 'median', all[5]!.toFixed(1), 'us each');
process.exit();

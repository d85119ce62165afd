import { createHook } from 'node:async_hooks';
import { createRouter, type Provider } from 'signalbox';
const usage = { inputTokens: 20, outputTokens: 100, totalTokens: 120 };
const mk = (n: number): Provider => ({ wire: 'echo', priceList: 'openai', capabilities: () => new Set(['tools']), preload: async () => undefined,
  prepare: () => ({ warnings: [], send: () => { let i = 0; return { [Symbol.asyncIterator]() { return this; }, next: () => { i++; if (i <= n) return Promise.resolve({ done: false, value: { type: 'text-delta', delta: 'x' } }); if (i === n + 1) return Promise.resolve({ done: false, value: { type: 'part-end', part: { type: 'text', text: 'x' } } }); if (i === n + 2) return Promise.resolve({ done: false, value: { type: 'finish', finishReason: 'stop', usage } }); return Promise.resolve({ done: true, value: undefined }); } } as any; } }) });
const router = createRouter({ providers: { a: mk(1), b: mk(101) }, tiers: { s: ['a/gpt-5.4-mini'], l: ['b/gpt-5.4-mini'] } });
let made = 0; const hook = createHook({ init: (_, t) => { if (t === 'PROMISE') made++; } });
const run = async (f: () => Promise<unknown>) => { for (let i = 0; i < 50; i++) await f(); hook.enable(); made = 0; for (let i = 0; i < 100; i++) await f(); hook.disable(); return made / 100; };
const read = async (t: 's' | 'l') => { for await (const _ of router.stream(t, 'hi')); };
const c = await run(() => router.complete('s', 'hi', { wire: 'unary' })); const s = await run(() => read('s')); const l = await run(() => read('l'));
console.log('call', c, 'stream', s, 'chunk', (l - s) / 100);
process.exit();

/** Runs 200,000 calls, every tenth a stream. Heap, sockets, listeners and timers must not grow. */
import { getEventListeners } from 'node:events';
import { createRouter } from 'signalbox';
import { openaiChat } from 'signalbox/openai';
import { argumentsOf, runMany } from './measure.ts';
import { startVendors } from './vendors.ts';

const { calls = '200000' } = argumentsOf();
const steps = 10;
const perStep = Number(calls) / steps;
const vendors = await startVendors();
const provider = openaiChat({ apiKey: 'test-key', baseURL: `${vendors.url}/5d0/v1` });
const router = createRouter({
  providers: { main: provider, spare: provider },
  tiers: { fast: ['main/gpt-5.4-mini', 'spare/gpt-5.4-mini'] },
});
const { signal } = new AbortController();
let callCount = 0;

async function call(): Promise<void> {
  callCount += 1;
  if (callCount % 10 > 0) {
    await router.complete('fast', 'hi', { transfer: 'unary', signal });
    return;
  }
  for await (const _ of router.stream('fast', 'hi', { signal }));
}

await runMany(5_000, 64, call);
const heaps: number[] = [];
for (let step = 1; step <= steps; step++) {
  await runMany(perStep, 64, call);
  globalThis.gc?.();
  const heapMb = process.memoryUsage().heapUsed / 2 ** 20;
  heaps.push(heapMb);
  const resources = process.getActiveResourcesInfo();
  const countOf = (name: string): number => resources.filter((each) => each === name).length;
  console.log(
    `${String(step * perStep).padStart(7)} calls: heap ${heapMb.toFixed(1)} MB, ` +
      `${countOf('TCPSocketWrap')} sockets, ${countOf('Timeout')} timers, ` +
      `${getEventListeners(signal, 'abort').length} listeners, ` +
      `${await vendors.connections()} connections made`,
  );
}
const growth = (heaps.at(-1) ?? 0) - (heaps[0] ?? 0);
console.log(`heap growth from the first tenth to the last: ${growth.toFixed(2)} MB`);
vendors.stop();
process.exit(growth > 2 ? 1 : 0);

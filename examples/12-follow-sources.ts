// A configuration from a URL, and prices from a function: both are followed while the router runs.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRouter } from 'signalbox';
import { functionSource, httpSource } from 'signalbox/config';
import { close, providers } from './providers.ts';

let document = { tiers: { fast: ['openai/gpt-5.4-mini'] } };
const server = createServer((_, response) => {
  response.setHeader('content-type', 'application/json').end(JSON.stringify(document));
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address() as AddressInfo;

const router = createRouter({ providers, tiers: { fast: ['openai/gpt-5.4-mini'] } });
const routing = httpSource(`http://127.0.0.1:${port}/routing.json`, { everyMs: 100 });
const following = await router.follow(routing);
const prices = functionSource(
  () => ({
    prices: { 'anthropic/claude-haiku-4-5': { input: 0.8, output: 4 } },
    pricesDate: '2026-11-30',
  }),
  { everyMs: 60_000 },
);
await router.follow(prices, { only: 'prices' });
console.log(`answered by ${(await router.complete('fast', 'Hello')).target}`);

const changed = new Promise((resolve) => router.once('config-change', resolve));
document = { tiers: { fast: ['anthropic/claude-haiku-4-5'] } };
await changed;
const { target, cost } = await router.complete('fast', 'Hello');
console.log(`answered by ${target}, ${cost.priced}`);
for (const { source, date } of router.snapshot().priceLists) console.log(`${source}: ${date}`);

await following.stop();
await router.close();
await close();
server.close();

/**
 * A smoke test of the built package for any JavaScript runtime: `node`, `bun` or `deno run -A`, with the path of this
 * file. Prints one line and exits with 0, or throws.
 */
import assert from 'node:assert/strict';
import { createRouter, isSignalboxError } from 'signalbox';
import { anthropic } from 'signalbox/anthropic';
import { openai } from 'signalbox/openai';
import { fakeProvider, simulateProviders } from 'signalbox/testing';

const vendors = await simulateProviders();
vendors.openai.answer({ text: 'Hello from OpenAI.', usage: { inputTokens: 12, outputTokens: 3 } });
vendors.anthropic.answer({ text: 'Hello from Anthropic.' });
const router = createRouter({
  providers: {
    fake: fakeProvider({ error: 'overloaded', status: 529 }),
    silent: fakeProvider({ hang: true }),
    openai: openai({ baseURL: vendors.openai.baseURL, apiKey: 'test' }),
    anthropic: anthropic({ baseURL: vendors.anthropic.baseURL, apiKey: 'test' }),
  },
  tiers: {
    fast: { targets: ['fake/a', 'openai/gpt-5.4-mini'], retry: { attempts: 0 } },
    smart: { targets: ['openai/gpt-5.4', 'anthropic/claude-haiku-4-5'], retry: { attempts: 0 } },
    hanging: ['silent/a'],
  },
});

const answer = await router.complete('fast', 'Hello');
assert.equal(answer.text, 'Hello from OpenAI.');
assert.deepEqual(
  answer.trail.map(({ target }) => target),
  ['fake/a', 'openai/gpt-5.4-mini'],
);
assert.ok((answer.cost.usd ?? 0) > 0);

let text = '';
for await (const part of router.stream('fast', 'Hello')) {
  if (part.type === 'text-delta') text += part.delta;
}
assert.equal(text, 'Hello from OpenAI.');

vendors.openai.fault({ type: 'status', kind: 'rate_limited', retryAfterSeconds: 30 });
const second = await router.complete('smart', 'Hello');
assert.equal(second.target, 'anthropic/claude-haiku-4-5');

vendors.openai.clear();
const body = new Response(router.stream('fast', 'Hello').toReadableStream());
assert.match(await body.text(), /Hello from/);

const controller = new AbortController();
const aborted = router.complete('hanging', 'Hello', { signal: controller.signal });
setTimeout(() => controller.abort(), 50);
await assert.rejects(aborted, (error) => isSignalboxError(error, 'aborted'));

await router.close();
await vendors.close();
const { bun, deno, node } = process.versions;
const runtime = bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${node}`;
console.log(`signalbox answers, streams, fails over and aborts on ${runtime}`);

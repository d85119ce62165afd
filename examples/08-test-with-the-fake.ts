// Tests code that uses a router, without network, keys or delays. This example uses Node's test runner.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRouter } from 'signalbox';
import { fakeProvider, fakeRuntime, recordEvents } from 'signalbox/testing';

test('uses the primary again after a rate limit of an hour', async () => {
  const runtime = fakeRuntime({ time: 'auto' });
  const primary = fakeProvider(
    [{ error: 'rate_limited', status: 429, retryAfterMs: 3_600_000 }, 'Hello from the primary.'],
    { runtime },
  );
  const router = createRouter({
    runtime,
    providers: { primary, backup: fakeProvider('Hello from the backup.', { runtime }) },
    tiers: { fast: ['primary/large', 'backup/small'] },
    prices: { 'backup/small': { input: 1, output: 2 } },
  });
  const recorded = recordEvents(router);

  const first = await router.complete('fast', 'Hi');
  assert.equal(first.text, 'Hello from the backup.');
  assert.equal(recorded.of('failover')[0]?.error.code, 'rate_limited');
  assert.ok((recorded.costUsd() ?? 0) > 0);

  await runtime.sleep(3_600_000);
  const second = await router.complete('fast', 'Hi');
  assert.equal(second.target, 'primary/large');
  assert.equal(primary.calls.length, 2);
  await router.close();
});

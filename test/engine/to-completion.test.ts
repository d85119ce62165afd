import { expect, it } from 'vitest';
import type { Warning } from '../../src/protocol/completion.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

const dropped: Warning = { code: 'dropped-param', param: 'seed', message: 'no seed' };
const odd: Warning = { code: 'compat', message: 'odd' };

it('returns the vendor’s metadata and the latency of the call', async () => {
  const runtime = fakeRuntime({ time: 'auto' });
  await runtime.advance(5_000);
  const fake = fakeProvider(
    {
      chunks: ['Fi', 'ne.'],
      firstTokenDelayMs: 200,
      chunkDelayMs: 100,
      servedModel: 'm-2026',
      requestId: 'req_1',
      rawFinishReason: 'end_turn',
      warnings: [odd],
    },
    { runtime },
  );
  const provider: Provider = {
    ...fake,
    prepare: (request) => ({
      warnings: [dropped],
      async *send(context) {
        for await (const batch of fake.prepare(request).send(context)) {
          yield batch.map((part) =>
            part.type === 'finish'
              ? { ...part, serviceTier: 'flex', finishDetail: 'a detail', id: 'msg_1' }
              : part,
          );
        }
      },
    }),
  };
  const router = createRouter({
    runtime,
    providers: {
      a: fakeProvider({ error: 'auth', firstTokenDelayMs: 500 }, { runtime }),
      b: provider,
    },
    tiers: { t: ['a/m', 'b/m'] },
  });
  const answer = await router.complete('t', 'hi');
  expect(answer).toMatchObject({
    id: 'msg_1',
    model: { requested: 'm', served: 'm-2026' },
    finishReason: 'stop',
    rawFinishReason: 'end_turn',
    finishDetail: 'a detail',
    requestId: 'req_1',
    serviceTier: 'flex',
    warnings: [dropped, odd],
    // Includes 500 ms of the failed attempt.
    latency: { firstTokenMs: 700, totalMs: 800 },
  });
});

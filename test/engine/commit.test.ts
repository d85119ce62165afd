import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSignalboxError } from '../../src/errors.ts';
import type { Completion } from '../../src/protocol/completion.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeEntry, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';

const codes = ['server_error', 'rate_limited', 'connection', 'auth', 'stream_interrupted'] as const;

/** One attempt: an answer, a failure before or after some text, a stall, or silence. */
const entry: fc.Arbitrary<FakeEntry> = fc.oneof(
  fc.record({ chunks: fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 4 }) }),
  fc.record({
    error: fc.constantFrom(...codes),
    chunks: fc.array(fc.constantFrom('x', 'y'), { maxLength: 3 }),
  }),
  fc.record({
    chunks: fc.constant(['p', 'q', 'r']),
    stallAfter: fc.integer({ min: 0, max: 2 }),
  }),
  fc.constant({ hang: true }),
);

const scripts = fc.array(fc.array(entry, { minLength: 1, maxLength: 3 }), {
  minLength: 1,
  maxLength: 3,
});

describe('the commit of a stream', () => {
  it('never splices, never loses, never calls half an answer whole', async () => {
    await fc.assert(
      fc.asyncProperty(
        scripts,
        fc.constantFrom('fail' as const, 'restart' as const),
        fc.constantFrom('stream' as const, 'complete' as const),
        fc.integer(),
        async (script, midStream, mode, seed) => {
          const runtime = fakeRuntime({ time: 'auto', seed });
          const names = script.map((_, index) => `p${index}`);
          const fakes = script.map((entries) => fakeProvider(entries, { runtime }));
          const router = createRouter({
            runtime,
            providers: Object.fromEntries(
              names.map((name, index) => [name, fakes[index] ?? fakeProvider()]),
            ),
            prices: Object.fromEntries(names.map((name) => [`${name}/m`, { input: 1, output: 1 }])),
            tiers: { t: { targets: names.map((name) => `${name}/m` as const), midStream } },
          });
          const events = recordEvents(router);
          let shown = '';
          let completion: Completion | undefined;
          let failure: unknown;
          try {
            if (mode === 'complete') completion = await router.complete('t', 'hi');
            else {
              for await (const part of router.stream('t', 'hi')) {
                if (part.type === 'restart') shown = '';
                if (part.type === 'text-delta') shown += part.delta;
                if (part.type === 'finish') completion = part.completion;
              }
            }
          } catch (error) {
            failure = error;
          }

          const attempts = fakes.reduce((sum, fake) => sum + fake.calls.length, 0);
          expect(attempts).toBeLessThanOrEqual(6);
          expect(runtime.pending).toBe(0);
          expect(router.snapshot().callsInFlight).toBe(0);
          expect(events.of('attempt-start')).toHaveLength(attempts);
          expect(events.of('attempt-end')).toHaveLength(attempts);
          expect(events.of('call-end')).toHaveLength(1);
          if (completion === undefined) {
            if (!isSignalboxError(failure)) throw failure;
            expect(failure.trail.filter((line) => line.outcome !== 'skipped')).toHaveLength(
              attempts,
            );
            if (mode === 'stream' && midStream === 'fail' && shown !== '') {
              expect(failure.partial?.text).toBe(shown);
            }
          } else {
            if (mode === 'stream') expect(shown).toBe(completion.text);
            // Only a whole answer is made of these letters.
            expect(completion.text).toMatch(/^[abc]+$/);
            const billed = events.of('cost').reduce((sum, event) => sum + (event.usd ?? 0), 0);
            expect(completion.cost.attemptsUsd).toBeCloseTo(billed, 12);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

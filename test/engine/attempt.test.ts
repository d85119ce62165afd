import { expect, it } from 'vitest';
import { runAttempt } from '../../src/engine/attempt.ts';
import type { PreparedCall } from '../../src/protocol/provider.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

const finish: ProviderPart = { type: 'finish', finishReason: 'stop' };

/** Runs an attempt whose answer has come whole when the abort comes, and is still on its way through the adapter. */
async function seenBy(layers: number): Promise<readonly ProviderPart[]> {
  const caller = new AbortController();
  async function* answer(): AsyncGenerator<ProviderPart> {
    yield { type: 'open' };
    caller.abort(new Error('enough'));
    yield finish;
  }
  const through = async function* (parts: AsyncIterable<ProviderPart>) {
    yield* parts;
  };
  const prepared: PreparedCall = {
    warnings: [],
    send: () =>
      Array.from({ length: layers }).reduce<AsyncGenerator<ProviderPart>>(through, answer()),
  };
  const seen: ProviderPart[] = [];
  const parts = runAttempt(fakeRuntime(), prepared, {
    signal: caller.signal,
    clocks: { connectMs: 1_000, firstTokenMs: 1_000, idleMs: 1_000 },
    wire: 'stream',
    keepRaw: false,
    onLimits: () => undefined,
    see: (part) => seen.push(part),
  });
  for await (const _ of parts);
  return seen;
}

it.each([0, 1, 3])(
  'hears what has come in the turn of an abort, through %i generators',
  async (layers) => {
    expect(await seenBy(layers)).toEqual([{ type: 'open' }, finish]);
  },
);

import { afterAll, describe, expect, test } from 'vitest';
import { openaiChat } from '../../src/adapters/openai-chat/index.ts';
import { isSignalboxError } from '../../src/errors.ts';
import type { AttemptContext, PreparedCall, Provider } from '../../src/protocol/provider.ts';
import type { ProviderRequest } from '../../src/protocol/request.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';
import { adapterContract } from '../../src/testing/adapter-contract.ts';
import { simulateProviders } from '../../src/testing/simulate-providers.ts';
import { partsIn } from '../support/batches.ts';

const simulators = await simulateProviders();
afterAll(() => simulators.close());
const correct = openaiChat({ apiKey: 'contract-key-77aa', baseURL: simulators.compatible.baseURL });

type Send = PreparedCall['send'];

function casesOf(provider: Provider) {
  const options = { model: 'some-model', wire: 'openai-chat', reasoning: 'shown' } as const;
  const { compatible: simulator } = simulators;
  return adapterContract({ name: 'it', provider: () => provider, simulator, ...options });
}

async function run(provider: Provider, name: string): Promise<void> {
  const found = casesOf(provider).find((each) => each.name === `it: ${name}`);
  if (found === undefined) throw new Error(`there is no case "${name}"`);
  await found.run();
}

/** The correct adapter with a changed `send`. */
function withSend(change: (send: Send, request: ProviderRequest) => Send): Provider {
  return {
    ...correct,
    prepare(request) {
      const prepared = correct.prepare(request);
      return { ...prepared, send: change(prepared.send.bind(prepared), request) };
    },
  };
}

/** The correct adapter with changed parts. */
function withParts(change: (part: ProviderPart) => readonly ProviderPart[]): Provider {
  return withSend(
    (send) =>
      async function* (context) {
        for await (const batch of send(context)) yield batch.flatMap(change);
      },
  );
}

/** The correct adapter with a changed failure. */
function withFailure(
  change: (
    error: unknown,
    send: Send,
    context: AttemptContext,
  ) => AsyncIterable<readonly ProviderPart[]>,
): Provider {
  return withSend(
    (send) =>
      async function* (context) {
        try {
          yield* send(context);
        } catch (error) {
          yield* change(error, send, context);
        }
      },
  );
}

const plain = 'streams a plain answer in several deltas, with the finish reason stop';

const defects: readonly (readonly [defect: string, provider: Provider, name: string])[] = [
  ['finishes twice', withParts((part) => (part.type === 'finish' ? [part, part] : [part])), plain],
  ['never finishes', withParts((part) => (part.type === 'finish' ? [] : [part])), plain],
  ['loses deltas', withParts((part) => (part.type === 'text-delta' ? [] : [part])), plain],
  ['loses parts', withParts((part) => (part.type === 'part-end' ? [] : [part])), plain],
  [
    'opens late',
    withSend(
      (send) =>
        async function* (context) {
          const held: ProviderPart[] = [];
          for await (const part of partsIn(send(context))) {
            if (part.type === 'open') held.push(part);
            else yield [part];
            if (part.type === 'text-delta') yield held.splice(0);
          }
        },
    ),
    plain,
  ],
  [
    'keeps listeners on the signal',
    withSend((send) => (context) => {
      for (let each = 0; each < 2; each++) {
        context.signal.addEventListener('abort', () => undefined);
      }
      return send(context);
    }),
    plain,
  ],
  [
    'modifies the request',
    withSend((send, request) => (context) => {
      Object.assign(request, { model: 'another' });
      return send(context);
    }),
    plain,
  ],
  [
    'treats a truncated stream as complete',
    withFailure(async function* () {
      yield [{ type: 'finish', finishReason: 'stop' }];
    }),
    'reports a truncated stream as stream_interrupted',
  ],
  [
    'retries',
    withFailure((_error, send, context) => send(context)),
    'sends one HTTP request per send(), without retries',
  ],
  [
    'throws an error that is not a SignalboxError',
    withFailure(async function* () {
      yield* [];
      throw new Error('oops');
    }),
    'reports a reset connection as connection',
  ],
  [
    "puts the vendor's text in its message",
    withFailure(async function* (error) {
      yield* [];
      throw isSignalboxError(error) ? error.with({ message: String(error.cause) }) : error;
    }),
    'keeps the key and the prompt out of error messages',
  ],
  [
    'ignores the signal',
    withSend((send) => (context) => send({ ...context, signal: new AbortController().signal })),
    'sends nothing after an abort before the first read',
  ],
  [
    'sends before it is read',
    withSend((send) => (context) => {
      const parts = send(context)[Symbol.asyncIterator]();
      const first = parts.next();
      return (async function* () {
        for (let next = await first; next.done !== true; next = await parts.next()) {
          yield next.value;
        }
      })();
    }),
    'sends nothing before the first read',
  ],
];

describe('adapterContract()', () => {
  test('has cases with unique names', () => {
    const names = casesOf(correct).map(({ name }) => name);
    expect(names.length).toBeGreaterThan(60);
    expect(new Set(names).size).toBe(names.length);
  });

  test.each(defects)('fails for an adapter that %s', async (_defect, provider, name) => {
    await expect(run(correct, name)).resolves.toBeUndefined();
    await expect(run(provider, name)).rejects.toThrow();
  });
});

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
const sound = openaiChat({ apiKey: 'contract-key-77aa', baseURL: simulators.compatible.baseURL });

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

/** The sound adapter with another way to send. */
function sending(change: (send: Send, request: ProviderRequest) => Send): Provider {
  return {
    ...sound,
    prepare(request) {
      const prepared = sound.prepare(request);
      return { ...prepared, send: change(prepared.send.bind(prepared), request) };
    },
  };
}

/** The sound adapter with its parts changed. */
function telling(change: (part: ProviderPart) => readonly ProviderPart[]): Provider {
  return sending(
    (send) =>
      async function* (context) {
        for await (const batch of send(context)) yield batch.flatMap(change);
      },
  );
}

/** The sound adapter with what it does about a failure. */
function failing(
  change: (
    error: unknown,
    send: Send,
    context: AttemptContext,
  ) => AsyncIterable<readonly ProviderPart[]>,
): Provider {
  return sending(
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

const plain = 'a plain answer comes in pieces and ends with a stop';

const defects: readonly (readonly [defect: string, provider: Provider, name: string])[] = [
  ['finishes twice', telling((part) => (part.type === 'finish' ? [part, part] : [part])), plain],
  ['never finishes', telling((part) => (part.type === 'finish' ? [] : [part])), plain],
  ['loses deltas', telling((part) => (part.type === 'text-delta' ? [] : [part])), plain],
  ['loses parts', telling((part) => (part.type === 'part-end' ? [] : [part])), plain],
  [
    'opens late',
    sending(
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
    sending((send) => (context) => {
      for (let each = 0; each < 2; each++) {
        context.signal.addEventListener('abort', () => undefined);
      }
      return send(context);
    }),
    plain,
  ],
  [
    'writes on the request',
    sending((send, request) => (context) => {
      Object.assign(request, { model: 'another' });
      return send(context);
    }),
    plain,
  ],
  [
    'takes a stream that stops for one that ends',
    failing(async function* () {
      yield [{ type: 'finish', finishReason: 'stop' }];
    }),
    'a stream that ends politely in the middle is an interruption',
  ],
  [
    'tries again by itself',
    failing((_error, send, context) => send(context)),
    'each failing send is one HTTP request: nothing is tried again',
  ],
  [
    'throws what is no SignalboxError',
    failing(async function* () {
      yield* [];
      throw new Error('oops');
    }),
    'a reset connection is a connection error',
  ],
  [
    "puts the vendor's words in its message",
    failing(async function* (error) {
      yield* [];
      throw isSignalboxError(error) ? error.with({ message: String(error.cause) }) : error;
    }),
    'neither key nor prompt is in the message of an error',
  ],
  [
    'is deaf to the signal',
    sending((send) => (context) => send({ ...context, signal: new AbortController().signal })),
    'an abort before the first read sends nothing',
  ],
  [
    'sends before it is read',
    sending((send) => (context) => {
      const parts = send(context)[Symbol.asyncIterator]();
      const first = parts.next();
      return (async function* () {
        for (let next = await first; next.done !== true; next = await parts.next()) {
          yield next.value;
        }
      })();
    }),
    'nothing is sent before the first read',
  ],
];

describe('the contract', () => {
  test('has cases with names of their own', () => {
    const names = casesOf(sound).map(({ name }) => name);
    expect(names.length).toBeGreaterThan(60);
    expect(new Set(names).size).toBe(names.length);
  });

  test.each(defects)('finds an adapter that %s', async (_defect, provider, name) => {
    await expect(run(sound, name)).resolves.toBeUndefined();
    await expect(run(provider, name)).rejects.toThrow();
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromAiSdk } from '../src/ai-sdk.ts';
import { anthropic } from '../src/anthropic.ts';
import { groq, openaiCompatible } from '../src/compatible.ts';
import { google, vertex } from '../src/google.ts';
import { createRouter, isSignalboxError } from '../src/index.ts';
import { azureOpenAI, openai, openaiChat } from '../src/openai.ts';
import {
  adapterContract,
  fakeProvider,
  fakeRuntime,
  recordEvents,
  simulateProviders,
} from '../src/testing.ts';
import { sampled } from './support/sampled.ts';

const inherited = ['constructor', '__proto__', 'toString', 'hasOwnProperty', 'valueOf'];

/** An object with this many levels. */
function nested(levels: number): object {
  const root: { x?: object } = {};
  let at = root;
  for (let level = 1; level < levels; level++) at = at.x = {};
  return root;
}

function cycle(): object {
  const value: { self?: object } = {};
  value.self = value;
  return value;
}

/** Each level contains the one below twice: few objects, but 2^levels values. */
function doubled(levels: number): object {
  let value: object = {};
  for (let level = 0; level < levels; level++) value = { a: value, b: value };
  return value;
}

/** The error that is thrown or rejected with; `undefined` when the input is accepted. */
async function failureOf(run: () => unknown): Promise<unknown> {
  try {
    await run();
    return undefined;
  } catch (error) {
    return error;
  }
}

async function expectSignalboxError(run: () => unknown): Promise<void> {
  const error = await failureOf(run);
  if (error === undefined) return;
  expect(isSignalboxError(error), `${String(error)}\n${(error as Error).stack}`).toBe(true);
  expect((error as Error).message.length).toBeLessThan(300_000);
}

async function messageOf(run: () => unknown): Promise<string> {
  const error = await failureOf(run);
  if (!isSignalboxError(error, 'config')) throw error ?? new Error('the input was accepted');
  return error.message;
}

const hostile = fc.oneof(
  fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withNullPrototype: true,
    withObjectString: true,
    withSparseArray: true,
    withTypedArray: true,
    withBoxedValues: true,
  }),
  fc.constantFrom<unknown>(
    undefined,
    null,
    1n,
    Symbol('s'),
    Number.NaN,
    '',
    () => undefined,
    new Date(Number.NaN),
    Promise.resolve(),
    Object.create(null),
    Object.create({ type: 'text' }),
    new Array(5),
    new Array(4_000_000_000),
    class {},
    nested(101),
    nested(3_000),
    cycle(),
    doubled(40),
    [cycle()],
    { '~standard': null },
    { '~standard': { vendor: 'x', version: 1, validate: 5 } },
    { type: 'constructor' },
    { ref: null },
    { url: 5 },
    JSON.parse('{"__proto__":{"a":1}}'),
    'x'.repeat(1_000_000),
    ...inherited,
  ),
);

type Path = readonly (string | number)[];

/** The path of every value in the data, including the root. */
function pathsOf(data: unknown, path: Path = []): readonly Path[] {
  if (typeof data !== 'object' || data === null) return [path];
  const isPlain = Array.isArray(data) || Object.getPrototypeOf(data) === Object.prototype;
  if (!isPlain) return [path];
  const keys: Path = Array.isArray(data) ? [...data.keys()] : Object.keys(data);
  return [path, ...keys.flatMap((key) => pathsOf(Reflect.get(data, key), [...path, key]))];
}

function replaceAt(data: unknown, [key, ...rest]: Path, value: unknown): unknown {
  if (key === undefined) return value;
  const at: unknown = Reflect.get(data as object, key);
  const copy: object = Array.isArray(data) ? [...data] : { ...(data as object) };
  Reflect.set(copy, key, replaceAt(at, rest, value));
  return copy;
}

/** The data with one or two values replaced by hostile ones. */
function damaged(data: unknown) {
  const paths = pathsOf(data);
  return fc
    .array(fc.tuple(fc.nat({ max: paths.length - 1 }), hostile), { minLength: 1, maxLength: 2 })
    .map((replacements) =>
      replacements.reduce((left, [index, value]) => {
        try {
          return replaceAt(left, paths[index] ?? [], value);
        } catch {
          // An earlier replacement has removed the path.
          return left;
        }
      }, data),
    );
}

/** A fixed seed, so that failures are reproducible. */
const sample = { seed: 20_261_130, numRuns: sampled(100, 30) } as const;

const options = {
  system: 'Be brief',
  tags: { a: 'b' },
  tools: [{ name: 'f', description: 'd', inputSchema: { type: 'object', properties: { a: {} } } }],
  toolChoice: { name: 'f' },
  schema: { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
  reasoning: { effort: 'low' },
  cache: { ttl: '1h' },
  timeouts: { totalMs: 1_000 },
  retry: { attempts: 1 },
  route: { only: ['p'], order: ['p/m'] },
  providerOptions: { p: { deep: { deeper: [1, 'two'] } } },
  singleFlight: true,
  stop: ['x'],
};

const opaque = { wire: 'w', provider: 'p', model: 'm', kind: 'signature', data: 'd' };
const messages = [
  { role: 'system', content: [{ type: 'text', text: 'Hi', cache: { ttl: '5m' } }] },
  {
    role: 'user',
    content: [
      { type: 'image', source: { data: new Uint8Array(2), mediaType: 'image/png' } },
      { type: 'audio', source: { url: 'https://x.test/a.mp3' } },
      { type: 'file', source: { ref: { provider: 'p', id: 'f' } }, filename: 'a.pdf' },
    ],
  },
  {
    role: 'assistant',
    content: [
      { type: 'reasoning', text: 'Hm', opaque },
      { type: 'refusal', text: 'No' },
      { type: 'tool-call', id: '1', name: 'f', input: { a: [1] } },
    ],
  },
  {
    role: 'tool',
    content: [{ type: 'tool-result', id: '1', name: 'f', output: [{ type: 'text', text: 'x' }] }],
  },
];

const routing = {
  tiers: {
    a: {
      targets: ['p/m', { target: 'p/n', tags: { x: 'y' }, prices: { input: 1, output: 2 } }],
      fallbackTier: 'b',
      providerOptions: { p: { deep: { deeper: 1 } } },
      hedge: { afterMs: 5 },
      circuit: { window: 5 },
      limits: { rpm: 5 },
      fallbackOn: ['refusal'],
    },
    b: ['p/m'],
  },
  defaults: { timeouts: { idleMs: 5 }, temperature: 1 },
  prices: { 'p/m': { input: 1, output: 1 } },
  providerLimits: { p: { concurrency: 2 } },
  tags: { app: 'x' },
};

type Config = Parameters<typeof createRouter>[0];

function aRouter() {
  return createRouter({
    runtime: fakeRuntime({ time: 'auto' }),
    providers: { p: fakeProvider('{"a":"b"}') },
    tiers: { a: ['p/m'], b: ['p/n'] },
  });
}

/** A router as untyped code sees it. */
type Untyped = Readonly<Record<string, (...values: readonly unknown[]) => unknown>>;

describe('invalid input is accepted or fails with a SignalboxError', () => {
  it('in createRouter() and reconfigure(), which leaves the router unchanged', async () => {
    const router = aRouter();
    await fc.assert(
      fc.asyncProperty(damaged(routing), async (config) => {
        const p = fakeProvider('hello');
        await expectSignalboxError(() =>
          createRouter({ providers: { p }, ...(config as object) } as unknown as Config),
        );
        const before = Object.keys(router.snapshot().targets);
        const error = await failureOf(() => router.reconfigure(config as never));
        if (error === undefined) router.reconfigure({ tiers: { a: ['p/m'], b: ['p/n'] } });
        else expect(isSignalboxError(error)).toBe(true);
        expect(Object.keys(router.snapshot().targets)).toEqual(before);
      }),
      sample,
    );
    await expect(router.complete('a', 'hi')).resolves.toMatchObject({ text: '{"a":"b"}' });
  });

  it('in createRouter(), with an invalid runtime or invalid providers', async () => {
    const whole = {
      providers: { p: fakeProvider('x') },
      runtime: { ...fakeRuntime() },
      ...routing,
    };
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          damaged(whole),
          damaged(whole.runtime).map((runtime) => ({ ...whole, runtime })),
        ),
        async (config) => expectSignalboxError(() => createRouter(config as unknown as Config)),
      ),
      sample,
    );
  });

  it.each<readonly [string, () => unknown]>([
    ['now', () => 'soon'],
    ['now', () => Number.NaN],
    ['sleep', () => undefined],
    ['sleep', () => 5],
    ['random', () => 7],
    ['random', () => 0n],
    ['createId', () => undefined],
    ['createId', () => ''],
    ['alarm', () => undefined],
    ...(['now', 'sleep', 'random', 'createId', 'alarm'] as const).map(
      (name) =>
        [
          name,
          () => {
            throw new TypeError('of the runtime');
          },
        ] as const,
    ),
  ])('in calls with a runtime whose %s is invalid', async (name, wrong) => {
    const { advance: _advance, settle: _settle, ...rest } = fakeRuntime({ time: 'auto' });
    const runtime = { ...rest, [name]: wrong } as never;
    const providers = { p: fakeProvider({ error: 'server_error' }) };
    await expectSignalboxError(async () => {
      const router = createRouter({ providers, tiers: { a: ['p/m'] }, runtime });
      await router.complete('a', 'hi');
    });
    expect(
      isSignalboxError(
        await failureOf(() =>
          createRouter({ providers, tiers: { a: ['p/m'] }, runtime }).complete('a', 'hi'),
        ),
      ),
    ).toBe(true);
  });

  it('in calls with invalid options', async () => {
    const router = aRouter();
    const untyped = router as unknown as Untyped;
    await fc.assert(
      fc.asyncProperty(damaged(options), async (wrong) => {
        for (const method of ['complete', 'embed', 'image', 'explain'] as const) {
          await expectSignalboxError(() => untyped[method]?.('a', 'hi', wrong));
        }
        await expectSignalboxError(async () => {
          for await (const _ of router.stream('a', 'hi', wrong as object));
        });
      }),
      sample,
    );
  });

  it('in calls with invalid messages', async () => {
    const router = aRouter();
    await fc.assert(
      fc.asyncProperty(damaged(messages), async (wrong) => {
        await expectSignalboxError(() => router.complete('a', wrong as never));
        await expectSignalboxError(() =>
          router.complete('a', wrong as never, { singleFlight: true }),
        );
        await expectSignalboxError(() => router.explain('a', wrong as never));
      }),
      sample,
    );
  });

  it('in all other methods of a router', async () => {
    await fc.assert(
      fc.asyncProperty(hostile, hostile, async (one, two) => {
        const router = aRouter();
        const untyped = router as unknown as Untyped;
        const methods = [
          'complete',
          'embed',
          'image',
          'explain',
          'drill',
          'isolate',
          'demote',
          'feedback',
          'on',
          'once',
          'off',
        ];
        for (const method of methods) {
          await expectSignalboxError(() => untyped[method]?.(one, two));
          await expectSignalboxError(() => untyped[method]?.('a', one));
        }
        await expectSignalboxError(() =>
          untyped.drill?.({ tier: 'a', fault: one, forMs: 1, share: two }),
        );
        await expectSignalboxError(() =>
          untyped.drill?.({ tier: 'a', fault: 'timeout', tag: one }),
        );
        await expectSignalboxError(() => untyped.close?.(one));
      }),
      { ...sample, numRuns: sampled(40, 15) },
    );
  });

  it('in the factories', async () => {
    const factories = {
      openai,
      openaiChat,
      anthropic,
      google,
      vertex,
      azureOpenAI,
      groq,
      openaiCompatible,
    } as unknown as Untyped;
    const settings = {
      apiKey: ['a', 'b'],
      baseURL: 'https://x.test',
      headers: { 'x-a': 'b' },
      profile: {
        baseURL: 'https://x.test',
        keyVariables: ['A'],
        extraBody: { a: { b: 1 } },
        models: [{ pattern: /x/, quirks: { efforts: ['low'] } }],
        modelCapabilities: [{ pattern: /x/, capabilities: ['vision'] }],
        toolCallId: { pattern: /x/, maxLength: 5 },
      },
      project: 'p',
      resource: 'r',
      apiVersion: '1',
    };
    await fc.assert(
      fc.asyncProperty(damaged(settings), hostile, async (wrong, other) => {
        for (const factory of Object.values(factories)) {
          await expectSignalboxError(() => factory(wrong));
          await expectSignalboxError(() => factory(other));
        }
        await expectSignalboxError(() => factories.openaiCompatible?.({ profile: other }));
        await expectSignalboxError(() => fromAiSdk(other as never, wrong as never));
      }),
      sample,
    );
  });

  it('in fromAiSdk() with a value that is not a model', async () => {
    await fc.assert(
      fc.asyncProperty(hostile, async (wrong) => {
        const providers = {
          p: fromAiSdk(() => wrong as never, { embedding: () => wrong as never }),
        };
        const router = createRouter({ providers, tiers: { a: ['p/m'] } });
        await expect(router.complete('a', 'hi')).rejects.toSatisfy((e) => isSignalboxError(e));
        await expect(router.embed('a', 'hi')).rejects.toSatisfy((e) => isSignalboxError(e));
      }),
      { ...sample, numRuns: sampled(40, 15) },
    );
  });

  it('in the helpers for tests', async () => {
    const helpers = { fakeRuntime, recordEvents, adapterContract } as unknown as Untyped;
    await fc.assert(
      fc.asyncProperty(hostile, hostile, async (one, two) => {
        for (const helper of Object.values(helpers)) await expectSignalboxError(() => helper(one));
        await expectSignalboxError(() => fakeProvider(one as never, two as never));
        await expectSignalboxError(async () => {
          const providers = { p: fakeProvider(() => one as never) };
          await createRouter({ providers, tiers: { a: ['p/m'] } }).complete('a', 'hi');
        });
      }),
      { ...sample, numRuns: sampled(40, 15) },
    );
    for (const wrong of [null, 5, 'x', [], { opnai: {} }, { openai: 5 }]) {
      expect(await messageOf(() => simulateProviders(wrong as never))).toContain(
        'simulateProviders()',
      );
    }
  });
});

describe('nested data', () => {
  const providers = { p: fakeProvider('x') };

  it('can have at most 100 levels', async () => {
    const router = createRouter({ providers, tiers: { a: ['p/m'] } });
    const messageWith = (input: object) => [
      { role: 'assistant', content: [{ type: 'tool-call', id: '1', name: 'f', input }] },
    ];
    await router.complete('a', 'hi', { providerOptions: { p: nested(90) } } as never);
    await router.complete('a', messageWith(nested(100)) as never);
    expect(await messageOf(() => router.complete('a', messageWith(nested(101)) as never))).toMatch(
      /^messages\[0\]\.content\[0\]\.input: must be JSON; x\.x\S*….x is nested more than 100/,
    );
    expect(
      await messageOf(() =>
        createRouter({
          providers,
          tiers: { a: { targets: ['p/m'], providerOptions: { p: nested(3_000) } } },
        } as unknown as Config),
      ),
    ).toMatch(/tiers\.a\.providerOptions\.p\.x\S*….x: is nested more than 100 levels deep/);
  });

  it('must not be cyclic or too large', async () => {
    const router = createRouter({ providers, tiers: { a: ['p/m'] } });
    const call = (extra: object) => () => router.complete('a', 'hi', extra as never);
    expect(await messageOf(call({ providerOptions: { p: cycle() } }))).toContain(
      'providerOptions.p.self: refers back to an object that contains it (a cycle)',
    );
    expect(await messageOf(call({ schema: cycle() }))).toMatch(/^schema: .*self refers back/);
    expect(await messageOf(call({ providerOptions: { p: doubled(40) } }))).toContain(
      'has more than 1000000 values',
    );
    expect(await messageOf(call({ providerOptions: { p: { big: 1n } } }))).toContain(
      'providerOptions.p.big: is a BigInt',
    );
    // The same object twice is not a cycle.
    const shared = { a: 1 };
    await router.complete('a', 'hi', {
      providerOptions: { p: { one: shared, two: shared } },
    } as never);
  });
});

describe('names that every object inherits', () => {
  it.each(inherited.filter((name) => name !== '__proto__'))(
    'can be used as names: %s',
    async (name) => {
      const provider = fakeProvider('{"a":"b"}');
      const router = createRouter({
        providers: { [name]: provider, other: fakeProvider('x') },
        tiers: { [name]: [`${name}/${name}`], a: { targets: ['other/m'], fallbackTier: name } },
        tags: { [name]: 'x' },
      });
      const answer = await router.complete(name, 'hi', { tags: { [name]: 'y' } });
      expect(answer).toMatchObject({ target: `${name}/${name}`, tags: { [name]: 'y' } });
      expect(provider.calls[0]?.request).not.toHaveProperty('extraBody');
      const output = [{ type: name }];
      const result = { type: 'tool-result', id: '1', name, output };
      const history = [
        { role: 'user', content: 'hi' },
        { role: 'tool', content: [result] },
      ];
      await router.complete(name, history as never);
      const schema = { type: 'object', properties: { [name]: { type: 'string' } } };
      await router.complete(name, 'hi', {
        tools: [{ name, inputSchema: schema }],
        toolChoice: { name },
      });
    },
  );

  it.each(inherited)('are unknown as tier, provider, event, role or part: %s', async (name) => {
    const untyped = aRouter() as unknown as Untyped;
    const part = (type: string) => [{ role: 'user', content: [{ type, text: '' }] }];
    for (const run of [
      () => untyped.complete?.(name, 'hi'),
      () => untyped.complete?.('a', part(name)),
      () => untyped.complete?.('a', [{ role: name, content: 'hi' }]),
      () => untyped.complete?.('a', 'hi', { route: { only: [name] } }),
      () => untyped.complete?.('a', 'hi', JSON.parse(`{"providerOptions":{"${name}":{}}}`)),
      () => untyped.complete?.('a', 'hi', JSON.parse(`{"${name}":1}`)),
      () => untyped.on?.(name, () => undefined),
      () => untyped.drill?.({ tier: 'a', fault: name, forMs: 1, share: 1 }),
      () => untyped.reconfigure?.({ tiers: { a: { targets: ['p/m'], fallbackTier: name } } }),
      () => openaiCompatible({ profile: name as never }),
    ]) {
      expect(await messageOf(run)).not.toContain('not a function');
    }
  });

  it('"__proto__" is rejected where it would be lost', async () => {
    const parse = (text: string) => JSON.parse(text);
    const untyped = aRouter() as unknown as Untyped;
    for (const run of [
      () => untyped.reconfigure?.(parse('{"tiers":{"a":["p/m"],"__proto__":["p/m"]}}')),
      () => untyped.reconfigure?.(parse('{"tiers":{"a":["p/m"]},"tags":{"__proto__":"x"}}')),
      () => untyped.complete?.('a', 'hi', parse('{"tags":{"__proto__":"x"}}')),
      () => untyped.complete?.('a', 'hi', parse('{"providerOptions":{"p":{"__proto__":{"a":1}}}}')),
    ]) {
      expect(await messageOf(run)).toContain('__proto__');
    }
    expect(Object.keys({})).toEqual([]);
    expect(Reflect.get({}, 'a')).toBeUndefined();
  });
});

describe('error messages', () => {
  const providers = { p: fakeProvider('x') };
  const long = 'x'.repeat(1_000_000);
  const many = Array.from({ length: 5_000 }, (_, index) => `t${index}`);

  it('cut long names and limit lists', async () => {
    const tiers = Object.fromEntries(many.map((name) => [name, ['p/m']]));
    const router = createRouter({ providers, tiers } as unknown as Config) as unknown as Untyped;
    const runs = [
      () => router.complete?.(long, 'hi'),
      () => router.complete?.('unknown', 'hi'),
      () => router.on?.(long, () => undefined),
      () => router.complete?.('t1', 'hi', { [long]: 1 }),
      () => router.complete?.('t1', 'hi', { route: { only: many } }),
      () => router.complete?.('t1', 'hi', { toolChoice: { name: long } }),
      () => createRouter({ providers, tiers: { a: [`${long}/m`], [long]: [] } } as never),
      () => createRouter({ providers, tiers: { a: many.map((name) => `${name}/m`) } } as never),
      () => openai(Object.fromEntries(many.map((name) => [name + long.slice(0, 500), 1])) as never),
    ];
    for (const run of runs) expect((await messageOf(run)).length).toBeLessThan(30_000);
    expect(await messageOf(runs[4] ?? String)).toContain('and 4900 more');
  });
});

describe('the time of checks', () => {
  const providers = { p: fakeProvider('x') };

  /** CPU time of this thread in milliseconds, the best of three runs. */
  async function cpuMsOf(run: () => unknown): Promise<number> {
    const times: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      const before = process.threadCpuUsage();
      try {
        await run();
      } catch (error) {
        if (!isSignalboxError(error)) throw error;
      }
      const { user, system } = process.threadCpuUsage(before);
      times.push((user + system) / 1_000);
    }
    return Math.min(...times);
  }

  const list = <Name extends string>(count: number, make: (index: number) => Name) =>
    Array.from({ length: count }, (_, index) => make(index));
  const chainOf = (count: number, last?: string) =>
    Object.fromEntries(
      list(count, (index) => `t${index}`).map((name, index) => {
        const fallbackTier = index + 1 < count ? `t${index + 1}` : last;
        return [name, { targets: ['p/m'], ...(fallbackTier !== undefined && { fallbackTier }) }];
      }),
    );

  it.each<[string, (count: number) => () => unknown]>([
    [
      'a chain of tiers',
      (count) => () => createRouter({ providers, tiers: chainOf(count) } as unknown as Config),
    ],
    [
      'a cycle of tiers',
      (count) => () =>
        createRouter({ providers, tiers: chainOf(count, 't0') } as unknown as Config),
    ],
    [
      'targets of unknown providers among many',
      (count) => () =>
        createRouter({
          providers: Object.fromEntries(
            list(count, (at) => `p${at}`).map((name) => [name, providers.p]),
          ),
          tiers: { a: list(count, (at) => `q${at}/m`) },
        } as never),
    ],
    [
      'a plan with a custom order',
      (count) => {
        const router = createRouter({
          providers,
          tiers: { a: list(count, (at) => `p/m${at}` as const) },
        });
        const order = list(count, (at) => `p/m${count - at}`);
        return () => router.explain('a', 'hi', { route: { order, only: order } });
      },
    ],
    [
      'a drill of many targets',
      (count) => {
        const router = createRouter({
          providers,
          tiers: { a: list(count, (at) => `p/m${at}` as const) },
        });
        const targets = list(count, (at) => `p/n${at}`);
        return () => router.drill({ tier: 'a', fault: 'timeout', forMs: 1, share: 1, targets });
      },
    ],
  ])('grows linearly with the size of %s', async (_, make) => {
    await cpuMsOf(make(200));
    const [short, long] = [await cpuMsOf(make(1_000)), await cpuMsOf(make(4_000))];
    // Quadratic growth would be a factor of sixteen.
    expect(long).toBeLessThan(short * 9 + 100);
  });
});

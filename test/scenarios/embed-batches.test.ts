import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { cohere, mistral, openaiCompatible, qwen } from '../../src/compatible.ts';
import { vertex } from '../../src/google.ts';
import { azureOpenAI, openai, openaiChat } from '../../src/openai.ts';
import type { Tier } from '../../src/protocol/config.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { recordEvents } from '../../src/testing/record-events.ts';
import {
  answerJson,
  type ScriptedServer,
  type SeenRequest,
  startScriptedServer,
} from '../support/scripted-server.ts';

const servers: ScriptedServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
});

async function start(
  answer: (response: ServerResponse, request: SeenRequest) => void,
): Promise<ScriptedServer> {
  const server = await startScriptedServer(answer);
  servers.push(server);
  return server;
}

function inputOf({ body }: SeenRequest): readonly string[] {
  if (Array.isArray(body.input)) return body.input;
  return (body.instances as { content: string }[]).map(({ content }) => content);
}

/** Vectors of that length, of which each starts with the length of its text. */
function vectors(length = 3) {
  return (response: ServerResponse, request: SeenRequest): void => {
    const input = inputOf(request);
    const rows = input.map((text) => [text.length, ...Array(length - 1).fill(0)]);
    const tokens = input.length;
    const isVertex = 'instances' in request.body;
    answerJson(
      isVertex
        ? { predictions: rows.map((values) => ({ embeddings: { values } })) }
        : {
            data: rows.map((embedding, index) => ({ index, embedding })),
            usage: { prompt_tokens: tokens, total_tokens: tokens },
          },
    )(response);
  };
}

const down = answerJson({ error: { message: 'down' } }, 503);
const apiKey = 'test-key';

function routerOver(providers: Readonly<Record<string, Provider>>, tier: Tier<string, 'v'>) {
  return createRouter({
    providers,
    tiers: { v: tier },
    prices: {
      'a/m': { input: 1, output: 0 },
      ...(providers.b !== undefined && { 'b/n': { input: 1, output: 0 } }),
    },
    defaults: { retry: { attempts: 0 } },
  });
}

/** How many values each request had, and how many characters. */
async function sizesWith(make: (baseURL: string) => Provider, values: readonly string[]) {
  const server = await start(vectors());
  const router = routerOver({ a: make(server.url) }, { targets: ['a/m'] });
  const result = await router.embed('v', values, { concurrency: 1 });
  expect(result.vectors.map(([length]) => length)).toEqual(values.map(({ length }) => length));
  return server.seen.map((request) => ({
    values: inputOf(request).length,
    characters: inputOf(request).join('').length,
  }));
}

const shortTexts = (count: number) =>
  Array.from({ length: count }, (_, at) => 'x'.repeat((at % 7) + 1));

describe('batches of embed', () => {
  it.each<[string, number, (baseURL: string) => Provider]>([
    ['openai', 2_048, (baseURL) => openai({ apiKey, baseURL })],
    ['openaiChat', 2_048, (baseURL) => openaiChat({ apiKey, baseURL })],
    ['azureOpenAI', 2_048, (baseURL) => azureOpenAI({ apiKey, baseURL })],
    ['cohere', 96, (baseURL) => cohere({ apiKey, baseURL })],
    ['qwen', 10, (baseURL) => qwen({ apiKey, baseURL })],
    ['vertex', 250, (baseURL) => vertex({ project: 'acme-1', token: () => 't', baseURL })],
    ['a vendor without a row', 100, (baseURL) => openaiCompatible({ baseURL, profile: {} })],
    ['a profile', 7, (baseURL) => openaiCompatible({ baseURL, profile: { maxEmbeddingBatch: 7 } })],
  ])('of %s have at most %d values', async (_, most, make) => {
    const sizes = await sizesWith(make, shortTexts(most + 1));
    expect(sizes.map(({ values }) => values)).toEqual([most, 1]);
  });

  const words = 'The signal at the end of the platform is red. ';

  it.each<[string, number, (baseURL: string) => Provider]>([
    ['openai', 300_000, (baseURL) => openai({ apiKey, baseURL })],
    ['mistral', 16_384, (baseURL) => mistral({ apiKey, baseURL })],
    ['vertex', 20_000, (baseURL) => vertex({ project: 'acme-1', token: () => 't', baseURL })],
    [
      'a profile',
      2_000,
      (baseURL) => openaiCompatible({ baseURL, profile: { maxEmbeddingTokens: 2_000 } }),
    ],
  ])('of %s have at most %d tokens', async (_, most, make) => {
    const text = words.repeat(20);
    const count = Math.min(90, Math.ceil((most * 6) / text.length));
    const long = words.repeat(Math.ceil((most * 6) / count / words.length));
    const sizes = await sizesWith(make, Array<string>(count).fill(long));
    expect(sizes.length).toBeGreaterThan(1);
    // English has more than four characters a token.
    for (const { characters } of sizes) expect(characters).toBeLessThanOrEqual(most * 4);
    expect(sizes.length).toBeLessThan(4);
  });

  it('count about a token for each character of other scripts', async () => {
    const text = '信号扱所の信号は赤です。'.repeat(50);
    const sizes = await sizesWith((baseURL) => mistral({ apiKey, baseURL }), Array(60).fill(text));
    expect(sizes.length).toBeGreaterThan(1);
    for (const { characters } of sizes) expect(characters).toBeLessThanOrEqual(16_384);
  });

  it('send a value that is longer than the limit alone', async () => {
    const sizes = await sizesWith(
      (baseURL) => mistral({ apiKey, baseURL }),
      ['one', words.repeat(5_000), 'two', 'three'],
    );
    expect(sizes.map(({ values }) => values)).toEqual([1, 1, 2]);
  });

  it('have the size that the caller gave the provider', async () => {
    const sizes = await sizesWith(
      (baseURL) => ({ ...cohere({ apiKey, baseURL }), maxEmbeddingBatch: 5 }),
      shortTexts(12),
    );
    expect(sizes.map(({ values }) => values)).toEqual([5, 5, 2]);
  });

  it('fit each target of the tier', async () => {
    const server = await start(vectors());
    const a = openai({ apiKey, baseURL: server.url });
    const b = mistral({ apiKey, baseURL: server.url });
    const router = routerOver({ a, b }, { targets: ['a/m', 'b/m'] });
    await router.embed('v', Array<string>(90).fill(words.repeat(20)));
    expect(server.seen.length).toBeGreaterThan(1);
  });

  it.each([0, -1, Number.NaN, 1.5])('have no limit of tokens if it is %d', async (limit) => {
    const sizes = await sizesWith(
      (baseURL) => ({ ...cohere({ apiKey, baseURL }), maxEmbeddingTokens: limit }),
      shortTexts(20),
    );
    expect(sizes).toHaveLength(1);
  });

  it.each([0, -1, 1.5, '9'])('reject %j in a profile', (limit) => {
    const profile = { maxEmbeddingBatch: limit, maxEmbeddingTokens: limit } as object;
    expect(() => openaiCompatible({ baseURL: 'http://localhost:1', profile })).toThrow(
      /maxEmbeddingBatch: must be a whole number, at least 1\n.*maxEmbeddingTokens: must be/,
    );
  });
});

describe('vectors of several batches', () => {
  const values = shortTexts(2_100);
  const anyModel = { targets: ['a/m', 'b/n'], vectors: 'any' } as const;

  /** Answers the first requests, then is down. */
  function answersOnly(times: number, length = 3) {
    let requests = 0;
    return (response: ServerResponse, request: SeenRequest): void => {
      requests += 1;
      if (requests <= times) vectors(length)(response, request);
      else down(response);
    };
  }

  async function twoVendors(
    a: (response: ServerResponse, request: SeenRequest) => void,
    b: (response: ServerResponse, request: SeenRequest) => void,
    tier: Tier<string, 'v'> = anyModel,
  ) {
    const [first, second] = [await start(a), await start(b)];
    const router = routerOver(
      {
        a: openai({ apiKey, baseURL: first.url }),
        b: openai({ apiKey, baseURL: second.url }),
      },
      tier,
    );
    return { router, events: recordEvents(router), first, second };
  }

  it.each([3, 5])(
    'come from the target that can answer all, after one failed over',
    async (length) => {
      const { router, events } = await twoVendors(answersOnly(1), vectors(length));
      const result = await router.embed('v', values, { concurrency: 1 });
      expect(new Set(result.vectors.map((vector) => vector.length))).toEqual(new Set([length]));
      expect(result.vectors.map(([first]) => first)).toEqual(values.map((text) => text.length));
      expect(result).toMatchObject({ target: 'b/n', dimensions: length });
      // 2048 values were paid for at the first target, and are not in the result.
      expect(result.usage.inputTokens).toBe(2_100);
      expect(result.cost.usd).toBeCloseTo(0.0021);
      expect(result.cost.attemptsUsd).toBeCloseTo(0.004148);
      expect(events.costUsd()).toBeCloseTo(0.004148);
      const paid = result.trail.filter(({ cost }) => cost !== undefined);
      expect(paid.map(({ target, outcome, verdict }) => [target, outcome, verdict])).toEqual([
        ['a/m', 'error', 'next'],
        ['b/n', 'ok', 'done'],
        ['b/n', 'ok', 'done'],
      ]);
      expect(paid[0]?.error?.code).toBe('invalid_response');
    },
  );

  it('are made again for the fewest batches', async () => {
    let requests = 0;
    const { router, second } = await twoVendors((response, request) => {
      requests += 1;
      if (requests === 2) down(response);
      else vectors()(response, request);
    }, vectors(5));
    const result = await router.embed('v', shortTexts(6_000), { concurrency: 1 });
    expect(result).toMatchObject({ target: 'a/m', dimensions: 3 });
    expect(result.vectors).toHaveLength(6_000);
    expect(second.seen).toHaveLength(1);
  });

  it('of another length at a target of the same family are not mixed', async () => {
    const tier = { targets: ['a/m', { target: 'b/n', family: 'm' }] } as const;
    const { router } = await twoVendors(answersOnly(1), vectors(5), tier);
    const { dimensions, vectors: found } = await router.embed('v', values, { concurrency: 1 });
    expect(new Set(found.map(({ length }) => length))).toEqual(new Set([dimensions]));
  });

  it('fail when no target can answer all, with every paid attempt in the trail', async () => {
    const { router, events } = await twoVendors(answersOnly(1), answersOnly(1, 5));
    const error: unknown = await router
      .embed('v', values, { concurrency: 1 })
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'all_targets_failed' });
    const { trail } = error as { trail: { cost?: number }[] };
    const usd = trail.reduce((sum, { cost = 0 }) => sum + cost, 0);
    expect(usd).toBeCloseTo(0.0021);
    expect(events.costUsd()).toBeCloseTo(usd);
  });

  it('are in the trail of the error when a later batch fails', async () => {
    const { router } = await twoVendors(answersOnly(1), down);
    const error: unknown = await router
      .embed('v', values, { concurrency: 1 })
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'all_targets_failed',
      trail: [
        { target: 'a/m', outcome: 'ok', cost: 0.002048 },
        { target: 'a/m', outcome: 'error' },
        { target: 'b/n', outcome: 'error' },
      ],
    });
  });

  it('are in the trail of the error when the caller aborts', async () => {
    const controller = new AbortController();
    let requests = 0;
    const { router } = await twoVendors((response, request) => {
      requests += 1;
      if (requests === 1) vectors()(response, request);
      else controller.abort();
    }, vectors());
    const { signal } = controller;
    const error: unknown = await router
      .embed('v', values, { concurrency: 1, signal })
      .catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'aborted',
      trail: [{ outcome: 'ok', cost: 0.002048 }, { outcome: 'aborted' }],
    });
    expect(router.snapshot().callsInFlight).toBe(0);
  });

  it('stop being made again when the caller aborts', async () => {
    const controller = new AbortController();
    let requests = 0;
    const { router, second } = await twoVendors((response, request) => {
      requests += 1;
      if (requests === 1) vectors()(response, request);
      else if (requests === 2) down(response);
      else controller.abort();
    }, vectors(5));
    const { signal } = controller;
    const failed = router.embed('v', values, { concurrency: 1, signal });
    await expect(failed).rejects.toMatchObject({ code: 'aborted' });
    expect(second.seen).toHaveLength(1);
  });
});

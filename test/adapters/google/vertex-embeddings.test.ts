import { afterEach, describe, expect, it } from 'vitest';
import { vertex } from '../../../src/google.ts';
import type { EmbeddingRequest } from '../../../src/protocol/other-tasks.ts';
import type { ProviderPart } from '../../../src/protocol/stream-part.ts';
import { createRouter } from '../../../src/router.ts';
import { contextOf, finishOf } from '../../support/provider-calls.ts';
import {
  answerJson,
  type ScriptedServer,
  type SeenRequest,
  startScriptedServer,
} from '../../support/scripted-server.ts';

let server: ScriptedServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

async function start(answer: Parameters<typeof startScriptedServer>[0]) {
  server = await startScriptedServer(answer);
  return vertex({ project: 'acme-1', token: () => 'token-1', baseURL: server.url });
}

async function embed(
  provider: ReturnType<typeof vertex>,
  request: Pick<EmbeddingRequest, 'model' | 'values'> & Partial<EmbeddingRequest>,
): Promise<readonly ProviderPart[]> {
  const prepared = provider.prepareEmbedding?.({ provider: 'mine', ...request });
  const parts: ProviderPart[] = [];
  for await (const batch of prepared?.send(contextOf()) ?? []) parts.push(...batch);
  return parts;
}

const pathOf = (model: string): string =>
  `/v1beta1/projects/acme-1/locations/global/publishers/google/models/${model}`;
const prediction = (values: readonly number[], tokens: number) => ({
  embeddings: { values, statistics: { token_count: tokens, truncated: false } },
});

describe('embeddings of vertex()', () => {
  it('use :predict with several values for older models', async () => {
    const predictions = [prediction([1, 2], 3), prediction([3, 4], 5)];
    const provider = await start(answerJson({ predictions, metadata: {} }));
    const parts = await embed(provider, {
      model: 'text-embedding-005',
      values: ['one', 'two'],
      dimensions: 2,
      extraBody: { parameters: { autoTruncate: false } },
    });
    expect(parts).toContainEqual({
      type: 'vectors',
      vectors: [
        [1, 2],
        [3, 4],
      ],
    });
    expect(finishOf(parts).usage).toMatchObject({ inputTokens: 8, outputTokens: 0 });
    expect(server?.seen[0]).toMatchObject({
      path: `${pathOf('text-embedding-005')}:predict`,
      headers: { authorization: 'Bearer token-1' },
      body: {
        instances: [{ content: 'one' }, { content: 'two' }],
        parameters: { outputDimensionality: 2, autoTruncate: false },
      },
    });
  });

  it('use :embedContent with one value for Gemini models', async () => {
    const usageMetadata = { promptTokenCount: 4, totalTokenCount: 4 };
    const provider = await start(answerJson({ embedding: { values: [1, 2] }, usageMetadata }));
    const model = 'gemini-embedding-2';
    const parts = await embed(provider, { model, values: ['one'], dimensions: 2 });
    expect(parts).toContainEqual({ type: 'vectors', vectors: [[1, 2]] });
    expect(finishOf(parts).usage).toMatchObject({ inputTokens: 4 });
    expect(server?.seen[0]).toMatchObject({
      path: `${pathOf(model)}:embedContent`,
      body: {
        content: { parts: [{ text: 'one' }] },
        embedContentConfig: { outputDimensionality: 2 },
      },
    });
  });

  it('are batched by the limit of the model', async () => {
    const answer = ({ body }: SeenRequest): unknown => {
      const instances = body.instances as readonly { readonly content: string }[];
      return { predictions: instances.map(({ content }) => prediction([Number(content)], 1)) };
    };
    const provider = await start((response, seen) => answerJson(answer(seen))(response));
    const router = createRouter({
      providers: { g: provider },
      tiers: { old: ['g/text-embedding-005'], new: ['g/gemini-embedding-001'] },
    });
    const values = Array.from({ length: 251 }, (_, index) => String(index));
    const { vectors, usage } = await router.embed('old', values);
    expect(vectors.map(([first]) => String(first))).toEqual(values);
    expect(usage.inputTokens).toBe(251);
    expect(server?.seen).toHaveLength(2);
    await router.embed('new', ['1', '2', '3']);
    expect(server?.seen.slice(2).map(({ path }) => path)).toEqual(
      Array(3).fill(`${pathOf('gemini-embedding-001')}:predict`),
    );
  });

  it.each([
    [429, { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'Quota exceeded' }, 'rate_limited'],
    [404, { code: 404, status: 'NOT_FOUND', message: 'No such model' }, 'model_not_found'],
    [
      400,
      {
        code: 400,
        status: 'INVALID_ARGUMENT',
        message: 'The input token count is 30000 but exceeds the maximum of 20000',
      },
      'context_length',
    ],
  ])('fail with %i %j as %s', async (status, error, code) => {
    const provider = await start(answerJson({ error }, status));
    await expect(
      embed(provider, { model: 'text-embedding-005', values: ['a'] }),
    ).rejects.toMatchObject({ code, status });
  });

  it('fail when the answer has no vectors', async () => {
    const provider = await start(answerJson({ predictions: [] }));
    await expect(
      embed(provider, { model: 'text-embedding-005', values: ['a'] }),
    ).rejects.toMatchObject({ code: 'invalid_response' });
  });
});

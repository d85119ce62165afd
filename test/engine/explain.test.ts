import { describe, expect, it } from 'vitest';
import { createRouter } from '../../src/index.ts';
import { openai } from '../../src/openai.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';

const providers = { openai: openai({ apiKey: 'k' }), own: fakeProvider() };

async function warningsOf(model: string, config: object = {}): Promise<readonly string[]> {
  const targets = [`openai/${model}` as const];
  const router = createRouter({ providers, tiers: { t: targets }, ...config });
  const { candidates } = await router.explain('t', 'hi');
  return candidates.flatMap(({ warnings }) => warnings);
}

describe('explain', () => {
  it('warns of a model that its vendor does not list, with the most similar one', async () => {
    expect(await warningsOf('gpt-4o-mni')).toEqual([
      'the model "gpt-4o-mni" is not in the price list of openai; did you mean "gpt-4o-mini"?',
    ]);
    expect(await warningsOf('zzzzzzzzzzzzzzzzzzzzzz')).toEqual([
      'the model "zzzzzzzzzzzzzzzzzzzzzz" is not in the price list of openai; its price and context window are unknown',
    ]);
  });

  it('does not warn of a listed model, of one with a price, and of a vendor without a list', async () => {
    expect(await warningsOf('gpt-5.4')).toEqual([]);
    const price = { input: 1, output: 2 };
    expect(await warningsOf('mine', { prices: { 'openai/mine': price } })).toEqual([]);
    const router = createRouter({ providers, tiers: { t: ['own/m'] } });
    expect((await router.explain('t', 'hi')).candidates).toEqual([
      { target: 'own/m', warnings: [] },
    ]);
  });

  it('loads the price list that it needs', async () => {
    const router = createRouter({
      providers,
      tiers: { t: { targets: ['openai/gpt-4o', 'openai/gpt-4o-mini'], strategy: 'cheapest' } },
    });
    const { candidates } = await router.explain('t', 'hi');
    expect(candidates.map(({ target }) => target)).toEqual(['openai/gpt-4o-mini', 'openai/gpt-4o']);
  });

  it('estimates the tokens of messages, system prompt and tools', async () => {
    const router = createRouter({ providers, tiers: { t: ['own/m'] } });
    const tokens = async (options: object) =>
      (await router.explain('t', 'How is the weather?', options)).inputTokens;
    const bare = await tokens({});
    expect(bare).toBeGreaterThan(3);
    expect(await tokens({ system: 'Answer in one word.' })).toBeGreaterThan(bare);
    const inputSchema = { type: 'object', properties: { city: { type: 'string' } } };
    expect(await tokens({ tools: [{ name: 'weather', inputSchema }] })).toBeGreaterThan(bare);
  });

  it('rejects for invalid arguments', async () => {
    const router = createRouter({ providers, tiers: { t: ['own/m'] } });
    await expect(router.explain('t', [])).rejects.toMatchObject({ code: 'config' });
  });
});

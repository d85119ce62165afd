import { describe, expect, it } from 'vitest';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';

const price = { input: 1, output: 2 };

describe('router.describe', () => {
  it('returns the merged configuration and what is known of its targets', async () => {
    const router = createRouter({
      providers: {
        a: { ...fakeProvider('hi'), priceList: 'openai', compliance: { region: 'eu' } },
        b: fakeProvider('hi'),
      },
      tiers: {
        fast: {
          targets: [{ target: 'a/gpt-5.4-mnii', contextWindow: 1000 }, 'b/own'],
          strategy: 'cheapest',
          fallbacks: { context_length: ['a/gpt-5.4'] },
          fallbackTier: 'eu',
        },
        eu: {
          targets: ['b/own', { target: 'a/gpt-5.4-mini', compliance: { noTraining: true } }],
          requires: { regions: ['eu'], noTraining: true },
        },
      },
      rules: [
        { name: 'list', when: { tags: { a: 'a' } }, use: ['b/own'] },
        { name: 'tier', when: { tags: { b: 'b' } }, use: 'eu' },
      ],
      prices: { 'b/own': price },
      pricesDate: '2026-11-30',
    });
    const { tiers, rules, priceLists } = await router.describe();
    expect(priceLists).toContainEqual({ source: 'prices', date: '2026-11-30' });
    const [fast, eu] = tiers;
    const typo = {
      ...{ target: 'a/gpt-5.4-mnii', provider: 'a', model: 'gpt-5.4-mnii', vendor: 'openai' },
      ...{ contextWindow: 1000, unknownModel: true, similarModel: 'gpt-5.4-mini' },
      compliance: { region: 'eu' },
    };
    const own = expect.objectContaining({ vendor: 'b', priceFrom: 'config', compliance: {} });
    expect(fast?.targets).toEqual([typo, own]);
    expect(fast?.targets[1]?.price).toMatchObject(price);
    expect(fast).toMatchObject({ name: 'fast', strategy: 'cheapest', fallbackTier: 'eu' });
    expect(fast?.fallbacks.context_length).toMatchObject([{ target: 'a/gpt-5.4' }]);
    const excluded = [{ excluded: expect.stringContaining('it declares no region') }, {}];
    expect(fast?.fallbackTargets).toMatchObject(excluded);
    expect(eu?.targets).toMatchObject(excluded);
    expect(eu?.targets[1]).toMatchObject({
      priceFrom: 'list',
      contextWindow: 400_000,
      compliance: { region: 'eu', noTraining: true },
    });
    expect(eu?.targets[1]).not.toHaveProperty('excluded');
    expect(rules).toMatchObject([
      { name: 'list', targets: [{ target: 'b/own' }] },
      { name: 'tier', tier: 'eu', targets: excluded },
    ]);
    // Calls to the first tier reach it.
    expect(rules[0]?.targets[0]).not.toHaveProperty('excluded');
    await router.close();
  });
});

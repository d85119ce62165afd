import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { z } from 'zod';
import { defineTool, runTools } from '../../src/agents.ts';
import { anthropic } from '../../src/anthropic.ts';
import { google } from '../../src/google.ts';
import { openai } from '../../src/openai.ts';
import { createRouter } from '../../src/router.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';

let simulators: SimulatedProviders;

beforeAll(async () => {
  simulators = await simulateProviders();
});
beforeEach(() => simulators.reset());
afterAll(() => simulators.close());

const weather = defineTool({
  name: 'weather',
  inputSchema: z.object({ city: z.string() }),
  execute: ({ city }) => ({ city, celsius: 21 }),
});

function open() {
  const settingsOf = (vendor: 'openai' | 'anthropic' | 'google') => ({
    apiKey: 'simulated',
    baseURL: simulators[vendor].baseURL,
  });
  return createRouter({
    providers: {
      anthropic: anthropic(settingsOf('anthropic')),
      google: google(settingsOf('google')),
      openai: openai(settingsOf('openai')),
    },
    tiers: {
      anthropic: ['anthropic/claude-haiku-4-5'],
      google: ['google/gemini-3-flash-preview'],
      openai: ['openai/gpt-5.4-mini'],
    },
    defaults: { reasoning: { effort: 'medium', include: true } },
  });
}

const tiers = ['anthropic', 'google', 'openai', 'anthropic', 'google', 'openai'] as const;

it('changes the vendor between steps, with replay data for the vendor that issued it', async () => {
  for (const vendor of ['anthropic', 'google', 'openai'] as const) {
    const signature = Buffer.from(`signed by ${vendor}`).toString('base64');
    let answers = 0;
    simulators[vendor].answer(() => {
      answers++;
      const call = { name: 'weather', input: { city: `${vendor}-${answers}` } };
      return {
        reasoning: `${vendor} thinks`,
        reasoningSignature: signature,
        toolCalls: vendor === 'openai' && answers === 2 ? [] : [call, call],
        ...(vendor === 'openai' && answers === 2 && { text: 'It is mild.' }),
      };
    });
  }
  await using router = open();
  const run = runTools(router, ({ index }) => tiers[index] ?? 'openai', 'How is the weather?', {
    tools: [weather],
  });
  const results: string[] = [];
  for await (const part of run) if (part.type === 'tool-result') results.push(part.result.id);
  const { status, steps, messages } = await run.result;
  expect(status).toBe('done');
  expect(steps.map(({ tier }) => tier)).toEqual(tiers);
  // Two calls in each of five answers, all with ids and results of their own, though Gemini has no ids.
  expect(results).toHaveLength(10);
  expect(new Set(results).size).toBe(10);
  expect(messages).toHaveLength(1 + 5 * 2 + 1);
  for (const vendor of ['anthropic', 'google', 'openai'] as const) {
    const [first, second] = simulators[vendor].log.map(({ body }) => JSON.stringify(body));
    for (const other of ['anthropic', 'google', 'openai'] as const) {
      const signature = Buffer.from(`signed by ${other}`).toString('base64');
      expect(first).not.toContain(signature);
      expect([vendor, other, second?.includes(signature)]).toEqual([
        vendor,
        other,
        vendor === other,
      ]);
    }
    // It gets what the tools of the other vendors' answers returned.
    expect(second).toContain('google-1');
  }
});

it('closes the socket of the vendor when the reader leaves', async () => {
  simulators.anthropic.answer({ chunks: Array(50).fill('word '), chunkDelayMs: 20 });
  await using router = open();
  const run = runTools(router, 'anthropic', 'Tell me a story.', { tools: [weather] });
  for await (const part of run) if (part.type === 'text-delta') break;
  const [request] = simulators.anthropic.log;
  await request?.done;
  expect(request?.aborted).toBe(true);
  await expect(run.result).rejects.toMatchObject({ code: 'aborted' });
});

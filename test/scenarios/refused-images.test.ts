import { afterEach, describe, expect, it } from 'vitest';
import { google } from '../../src/google.ts';
import { openai } from '../../src/openai.ts';
import { createRouter } from '../../src/router.ts';
import { recordEvents } from '../../src/testing/record-events.ts';
import {
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../support/scripted-server.ts';

let server: ScriptedServer | undefined;

afterEach(async () => {
  await server?.stop();
  server = undefined;
});

const apiKey = 'test-key';

async function routerOver(body: unknown, status = 200) {
  server = await startScriptedServer(answerJson(body, status));
  const baseURL = server.url;
  const router = createRouter({
    providers: { o: openai({ apiKey, baseURL }), g: google({ apiKey, baseURL }) },
    tiers: { openai: ['o/gpt-image-1'], google: ['g/gemini-2.5-flash-image'] },
    prices: { 'o/gpt-image-1': { input: 5, output: 40 } },
    defaults: { retry: { attempts: 0 } },
  });
  return { router, events: recordEvents(router) };
}

const usage = { input_tokens: 10, output_tokens: 544, total_tokens: 554 };
const good = { b64_json: 'AA==' };
const blocked = { error: { code: 'moderation_blocked', message: 'blocked' } };

describe('images of which some were refused', () => {
  it.each<[string, object, string]>([
    ['a row with an error', { data: [good, blocked, good] }, 'blocked 1'],
    [
      "Azure's filter results",
      { data: [good, { content_filter_results: { violence: { filtered: true } } }, good] },
      'blocked 1',
    ],
    [
      "Azure's error",
      { data: [good, { error: { code: 'contentFilter', message: 'filtered' } }, good] },
      'blocked 1',
    ],
    [
      "xAI's moderation",
      { data: [good, { url: '', respect_moderation: false }, good] },
      'blocked 1',
    ],
    [
      "Google's reason",
      { data: [good, { b64_json: null, raiFilteredReason: 'safety' }, good] },
      'blocked 1',
    ],
    ['an error next to the images', { data: [good, good], ...blocked }, 'blocked 1'],
    ['fewer rows', { data: [good, good] }, ''],
    ['an empty row', { data: [good, {}, good] }, ''],
  ])('are returned without those, with a warning: %s', async (_, body, why) => {
    const { router, events } = await routerOver({ ...body, usage });
    const result = await router.image('openai', 'a box', { count: 3 });
    expect(result.images).toHaveLength(2);
    expect(result.cost.usd).toBeGreaterThan(0);
    expect(events.costUsd()).toBe(result.cost.usd);
    expect(result.warnings).toHaveLength(1);
    expect(result.warnings[0]?.message).toContain('1 of 3 images are missing');
    expect(result.warnings[0]?.message).toContain(why);
  });

  it('have no warning when all came', async () => {
    const { router } = await routerOver({ data: [good, good], usage });
    const { images, warnings } = await router.image('openai', 'a box', { count: 2 });
    expect(images).toHaveLength(2);
    expect(warnings).toEqual([]);
  });

  it('count the images that the extra options ask for', async () => {
    const { router } = await routerOver({ data: [good], usage });
    const providerOptions = { o: { n: 4 } };
    const { warnings } = await router.image('openai', 'a box', { providerOptions });
    expect(warnings[0]?.message).toContain('3 of 4 images are missing');
  });

  it.each<[string, object, number]>([
    ['rows', { data: [blocked, blocked], usage }, 200],
    ['the body', { data: [], ...blocked, usage }, 200],
    ['the status', blocked, 400],
  ])('fail with content_filter when all were refused: %s', async (_, body, status) => {
    const { router, events } = await routerOver(body, status);
    const failed = router.image('openai', 'a box', { count: 2 });
    await expect(failed).rejects.toMatchObject({ code: 'content_filter' });
    if ('data' in body && !('error' in body)) expect(events.costUsd()).toBeGreaterThan(0);
  });

  it('fail with invalid_response when no row has an image, and none was refused', async () => {
    const { router } = await routerOver({ data: [{ revised_prompt: 'a box' }], usage });
    await expect(router.image('openai', 'a box')).rejects.toMatchObject({
      errors: [{ code: 'invalid_response' }],
    });
  });

  it('of Gemini are returned with a warning', async () => {
    const parts = [{ inlineData: { mimeType: 'image/png', data: 'AA==' } }];
    const { router } = await routerOver({
      candidates: [{ content: { role: 'model', parts }, finishReason: 'IMAGE_SAFETY' }],
      usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 1290, totalTokenCount: 1293 },
    });
    const { images, warnings } = await router.image('google', 'a box');
    expect(images).toHaveLength(1);
    expect(warnings).toEqual([
      { code: 'compat', message: 'the vendor refused a part of the images' },
    ]);
  });
});

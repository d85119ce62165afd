import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Plugin } from '../../src/index.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { fencesOf } from './markdown.ts';

it('has a filter of answers that works, in docs/policies.md', async () => {
  const recipe = fencesOf('docs/policies.md').find(({ code }) => code.includes('moderate('));
  const directory = mkdtempSync(join(tmpdir(), 'signalbox-recipe-'));
  const endpoint = createServer(async (request, response) => {
    const { input } = JSON.parse((await request.toArray()).join(''));
    const isKnown = request.headers.authorization === 'Bearer key';
    response.statusCode = isKnown ? 200 : 401;
    response.end(JSON.stringify({ results: [{ flagged: input.includes('idiot') }] }));
  });
  await new Promise<void>((resolve) => endpoint.listen(0, '127.0.0.1', resolve));
  try {
    const path = join(directory, 'recipe.ts');
    writeFileSync(path, recipe?.code ?? '');
    const { moderate }: { moderate: (url: string, apiKey: string) => Plugin } = await import(path);
    const url = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}`;
    const answerWith = async (apiKey: string) => {
      const router = createRouter({
        providers: { a: fakeProvider('You idiot.'), b: fakeProvider('Good day.') },
        tiers: { t: { targets: ['a/m', 'b/m'], repairAttempts: 0 } },
        plugins: [moderate(url, apiKey)],
      });
      return (await router.complete('t', 'hi')).text;
    };
    expect(await answerWith('key')).toBe('Good day.');
    await expect(answerWith('other')).rejects.toMatchObject({
      ...{ code: 'plugin_failed', policy: 'moderation' },
    });
  } finally {
    endpoint.closeAllConnections();
    endpoint.close();
    rmSync(directory, { recursive: true });
  }
});

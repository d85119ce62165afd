import { expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { anthropic } from '../../src/anthropic.ts';
import { type Fetch, google, vertex } from '../../src/google.ts';
import { openai, openaiChat } from '../../src/openai.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { callProvider, requestOf } from '../support/provider-calls.ts';

it.each<[string, (fetch: Fetch) => Provider]>([
  ['openai', (fetch) => openai({ apiKey: 'k', fetch })],
  ['openaiChat', (fetch) => openaiChat({ apiKey: 'k', fetch })],
  ['anthropic', (fetch) => anthropic({ apiKey: 'k', fetch })],
  ['google', (fetch) => google({ apiKey: 'k', fetch })],
  ['vertex', (fetch) => vertex({ project: 'acme', token: () => 't', fetch })],
])('%s() sends the user agent of signalbox with its version', async (_, make) => {
  const seen: Headers[] = [];
  const provider = make(async (_url, init) => {
    seen.push(new Headers(init?.headers));
    return new Response('{}', { status: 400 });
  });
  await expect(callProvider(provider, requestOf({ model: 'a-model' }))).rejects.toThrow();
  expect(seen.map((headers) => headers.get('user-agent'))).toEqual([
    `signalbox/${packageJson.version}`,
  ]);
});

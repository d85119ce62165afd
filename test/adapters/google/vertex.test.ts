import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type VertexSettings, vertex } from '../../../src/google.ts';
import { callProvider, contentOf, requestOf } from '../../support/provider-calls.ts';
import {
  answerEvents,
  answerJson,
  type ScriptedServer,
  startScriptedServer,
} from '../../support/scripted-server.ts';

const answer = { candidates: [{ content: { parts: [{ text: 'Hi' }] }, finishReason: 'STOP' }] };
const request = requestOf({ model: 'gemini-3-flash' });
const project = 'acme-1';
const model = `/v1beta1/projects/${project}/locations/global/publishers/google/models/gemini-3-flash`;

let server: ScriptedServer;
let answering = answerJson(answer);
let folder: string;

beforeEach(async () => {
  answering = answerJson(answer);
  server = await startScriptedServer((response) => answering(response));
  folder = mkdtempSync(join(tmpdir(), 'signalbox-'));
  vi.stubEnv('GOOGLE_GENAI_USE_VERTEXAI', 'false');
  vi.stubEnv('GOOGLE_VERTEX_BASE_URL', 'http://127.0.0.1:1');
  vi.stubEnv('GOOGLE_CLOUD_PROJECT', 'other');
  vi.stubEnv('GEMINI_API_KEY', 'secret');
});

afterEach(async () => {
  rmSync(folder, { recursive: true });
  await server.stop();
});

/** A service account that signs its tokens, because its universe domain is not Google's. */
function credentialsFile(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const path = join(folder, 'credentials.json');
  const credentials = {
    type: 'service_account',
    client_email: 'me@acme-1.iam.example',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    universe_domain: 'universe.test',
  };
  writeFileSync(path, JSON.stringify(credentials));
  return path;
}

describe('vertex()', () => {
  it.each([
    ['unary', `${model}:generateContent`],
    ['stream', `${model}:streamGenerateContent?alt=sse`],
  ] as const)('sends the configured token (%s)', async (transfer, path) => {
    answering = transfer === 'unary' ? answerJson(answer) : answerEvents([answer]);
    const token = vi
      .fn<() => Promise<string>>()
      .mockResolvedValueOnce('one')
      .mockResolvedValue('two');
    const provider = vertex({ project, token, baseURL: server.url });
    for (let attempt = 0; attempt < 2; attempt++) {
      const parts = await callProvider(provider, request, { transfer });
      expect(contentOf(parts)).toEqual([{ type: 'text', text: 'Hi' }]);
    }
    expect(server.seen.map((seen) => seen.path)).toEqual([path, path]);
    const sent = server.seen.map(({ headers }) => headers.authorization);
    expect(sent).toEqual(['Bearer one', 'Bearer two']);
    expect(JSON.stringify(server.seen)).not.toContain('secret');
    expect(server.seen[0]?.headers).not.toHaveProperty('x-goog-api-key');
  });

  it('uses application-default credentials', async () => {
    vi.spyOn(console, 'debug').mockReturnValue(undefined);
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', credentialsFile());
    const provider = vertex({ project, baseURL: server.url, headers: { 'X-Team': 'a' } });
    const parts = await callProvider(provider, request);
    expect(contentOf(parts)).toEqual([{ type: 'text', text: 'Hi' }]);
    expect(server.seen[0]).toMatchObject({
      path: `${model}:streamGenerateContent?alt=sse`,
      headers: { authorization: expect.stringMatching(/^Bearer ey/), 'x-team': 'a' },
    });
    expect(JSON.stringify(server.seen)).not.toContain('secret');
  });

  it('fails with auth without credentials', async () => {
    vi.spyOn(console, 'debug').mockReturnValue(undefined);
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', join(folder, 'nowhere.json'));
    await expect(
      callProvider(vertex({ project, baseURL: server.url }), request),
    ).rejects.toMatchObject({ code: 'auth' });
    expect(server.seen).toEqual([]);
  });

  it('fails with auth when the token function throws', async () => {
    const token = () => Promise.reject(new Error('no identity'));
    await expect(
      callProvider(vertex({ project, token, baseURL: server.url }), request),
    ).rejects.toMatchObject({ code: 'auth', message: 'vertex().token: the function threw' });
  });

  it('maps an error response to its code', async () => {
    answering = answerJson(
      { error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'x' } },
      429,
    );
    await expect(
      callProvider(vertex({ project, token: () => 't', baseURL: server.url }), request),
    ).rejects.toMatchObject({ code: 'rate_limited', status: 429 });
  });

  it.each([
    [undefined, 'https://aiplatform.googleapis.com/'],
    ['europe-west4', 'https://europe-west4-aiplatform.googleapis.com/'],
    ['eu', 'https://aiplatform.eu.rep.googleapis.com/'],
  ])('uses the URL of the location %s', async (location, address) => {
    const urls: string[] = [];
    const fetch: VertexSettings['fetch'] = async (input) => {
      urls.push(String(input instanceof Request ? input.url : input));
      return Response.json(answer);
    };
    const settings = location === undefined ? { project } : { project, location };
    await callProvider(vertex({ ...settings, token: () => 't', fetch }), request);
    const path = `v1beta1/projects/${project}/locations/${location ?? 'global'}/publishers/google/`;
    expect(urls[0]).toContain(`${address}${path}`);
  });

  it.each([
    [{}, 'vertex().project: is missing'],
    [{ project: 'a/../b' }, 'vertex().project: must be a Google Cloud id'],
    [{ project, location: 'evil.test/' }, 'vertex().location: must be a Google Cloud id'],
    [{ project, token: 't' }, 'vertex().token: must be a function'],
    [{ project, region: 'eu' }, 'vertex().region: unknown setting'],
  ])('throws for %o', (settings, message) => {
    expect(() => vertex(settings as VertexSettings)).toThrow(
      expect.objectContaining({ code: 'config', message: expect.stringContaining(message) }),
    );
  });
});

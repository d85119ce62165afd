import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anthropic } from '../../src/anthropic.ts';
import { isSignalboxError, type SignalboxError } from '../../src/errors.ts';
import { google } from '../../src/google.ts';
import { openai, openaiChat } from '../../src/openai.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { recordEvents } from '../../src/testing/record-events.ts';
import { repeat, type Trick, type WireName } from '../support/hostile-vendor.ts';
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts';

const keys = ['sk-canary-Zq8Lw2Rt5Yx1Vb7', '7f3c9e2b1d5a48c6b0e1f2a3d4c5b6a7'] as const;
const prompt = 'OPENSESAME42.canary_of_the_prompt';
const system = 'never-reveal-the-system-canary-text';

/** The forms in which a vendor may repeat something. */
const formsOf = (secret: string): readonly string[] => [
  secret,
  secret.slice(3, 17),
  secret.toLowerCase(),
  `Bearer ${secret}`,
  `req_${secret}`,
  Buffer.from(secret).toString('base64'),
  Buffer.from(`:${secret}`).toString('base64'),
  Buffer.from(`user:${secret}`).toString('base64url'),
];

/** The key of a call and the text that the vendor repeats. One key looks like a key, the other like an id. */
const echoes = [
  ...[keys[0], prompt].flatMap((secret) => formsOf(secret).map((form) => [keys[0], form] as const)),
  ...formsOf(keys[1]).map((form) => [keys[1], form] as const),
  [keys[0], system] as const,
];

/** All runs of twelve characters of the secrets, verbatim and in base64. */
const runs = [...keys, prompt, system].flatMap((secret) => {
  const forms = [secret, ...formsOf(secret).slice(5)];
  return forms.flatMap((form) =>
    Array.from({ length: form.length - 11 }, (_, at) => form.slice(at, at + 12).toLowerCase()),
  );
});

const leaksIn = (text: string): readonly string[] =>
  runs.filter((run) => text.toLowerCase().includes(run));

/** Everything that is printed of an error, without its causes. */
function shown(error: SignalboxError): string {
  const { message, stack, errors = [], ...rest } = error;
  const own = { message, stack, errors: [], ...rest };
  return [JSON.stringify(own), inspect(own, { depth: 20 }), ...errors.map(shown)].join('\n');
}

let server: ScriptedServer;
let answer: ReturnType<typeof repeat>;

beforeAll(async () => {
  server = await startScriptedServer((response, request) => answer(response, request));
});
afterAll(() => server.stop());

const providers: Readonly<Record<WireName, (apiKey: string) => Provider>> = {
  chat: (apiKey) => openaiChat({ apiKey, baseURL: server.url }),
  responses: (apiKey) => openai({ apiKey, baseURL: server.url }),
  anthropic: (apiKey) => anthropic({ apiKey, baseURL: server.url }),
  gemini: (apiKey) => google({ apiKey, baseURL: server.url }),
};

/** Everything of a call that may be logged: events, the trail and the error. */
async function logLinesOf(wire: WireName, key: string, mode: 'stream' | 'unary') {
  const router = createRouter({
    providers: { v: providers[wire](key) },
    tiers: { t: { targets: ['v/m'], maxAttempts: 1, system } },
  });
  const events = recordEvents(router);
  const lines: string[] = [];
  try {
    const completion =
      mode === 'stream'
        ? await router.stream('t', prompt).completion
        : await router.complete('t', prompt, { transfer: 'unary' });
    lines.push(JSON.stringify(completion.trail));
  } catch (error) {
    if (!isSignalboxError(error)) throw error;
    lines.push(shown(error));
  }
  lines.push(...events.events.map((event) => JSON.stringify(event)));
  lines.push(JSON.stringify(router.snapshot()));
  await router.close();
  return lines;
}

const wires = Object.keys(providers) as WireName[];
const tricks: readonly (readonly [Trick, number])[] = [
  ['ok', 200],
  ['odd-finish', 200],
  ...[400, 401, 429, 500].map((status) => ['http-error', status] as const),
  ['error-in-200', 200],
  ['error-in-stream', 200],
];

describe.each(wires)('a vendor on %s that repeats secrets', (wire) => {
  it.each(tricks)(
    'leaks none of them into events, trails and errors: %s, %d',
    async (trick, status) => {
      for (const [key, echo] of echoes) {
        answer = repeat(wire, trick, status, echo);
        for (const mode of ['stream', 'unary'] as const) {
          const lines = await logLinesOf(wire, key, mode);
          const leaks = lines.filter((line) => leaksIn(line).length > 0);
          expect({ echo, mode, leaks }).toEqual({ echo, mode, leaks: [] });
        }
      }
    },
    300_000,
  );
});

/**
 * Makes calls of all kinds over all wires, and prints what can still be reached: while their routers are open, after
 * they are closed, and after they are dropped. `node --expose-gc --no-warnings run.ts`
 */
import { getEventListeners, once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { fromAiSdk } from '../../../src/ai-sdk.ts';
import { anthropic } from '../../../src/anthropic.ts';
import { google } from '../../../src/google.ts';
import { openai, openaiChat } from '../../../src/openai.ts';
import type { Provider } from '../../../src/protocol/provider.ts';
import { createRouter } from '../../../src/router.ts';
import { fakeProvider } from '../../../src/testing/fake-provider.ts';
import { sampled } from '../sampled.ts';
import { bytesInUse, mark, marksInHeap, Watched } from './heap.ts';

type Urls = Readonly<Record<'openai' | 'anthropic' | 'google' | 'compatible', string>>;

/** The fake keeps its requests, so each request gets a new one. */
function perRequestFake(): Provider {
  return {
    ...fakeProvider(),
    prepare(request) {
      const text = JSON.stringify(request.messages);
      // No regular expression, because the engine keeps the last string that one has matched.
      const [, name = ''] = text.split('~');
      if (text.includes('large')) return fakeProvider('y'.repeat(largeLength)).prepare(request);
      const chunks = [mark(name, 'answer'), ' and', ' more'];
      if (text.includes('unfit') || text.includes('fails')) {
        return fakeProvider({ error: 'server_error' }).prepare(request);
      }
      const isSilent = text.includes('silent') || request.model === 'silent';
      if (isSilent) return fakeProvider({ hang: true }).prepare(request);
      if (request.output !== undefined) return fakeProvider().prepare(request);
      return fakeProvider({
        chunks,
        ...(text.includes('stalls') && { stallAfter: 2 }),
      }).prepare(request);
    },
  };
}

function providersAt(urls: Urls, apiKey: () => string): Readonly<Record<string, Provider>> {
  const compatible = createOpenAICompatible({
    name: 'sim',
    baseURL: urls.compatible,
    apiKey: 'test-key',
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
  return {
    responses: openai({ apiKey, baseURL: urls.openai }),
    chat: openaiChat({ apiKey, baseURL: urls.compatible }),
    fetched: openaiChat({ apiKey, baseURL: urls.compatible, fetch: (...args) => fetch(...args) }),
    messages: anthropic({ apiKey, baseURL: urls.anthropic }),
    gemini: google({ apiKey, baseURL: urls.google }),
    'ai-sdk': fromAiSdk((id) => compatible.languageModel(id)),
    fake: perRequestFake(),
  };
}

const models: Readonly<Record<string, string>> = {
  messages: 'claude-haiku-4-5',
  gemini: 'gemini-3-flash-preview',
};

const endings = [
  'ok',
  'schema',
  'failed',
  'unfit',
  'aborted',
  'late-abort',
  'left',
  'rejected-output',
  'hedged',
  'shared',
] as const;

type Ending = (typeof endings)[number];

const wordsFor: Partial<Record<Ending, string>> = {
  failed: 'fails',
  unfit: 'unfit',
  aborted: 'silent',
  'late-abort': 'stalls',
  left: 'stalls',
};

const object = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] } as const;

const largeLength = 4_000_000;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A router for one wire, with watched parts that must be collected with it. */
function openRouter(wire: string, urls: Urls, watched: Watched) {
  const apiKey = watched.add(`${wire} key function`, () => 'test-key');
  const provider = providersAt(urls, apiKey)[wire];
  if (provider === undefined) throw new Error(`no wire ${wire}`);
  watched.add(`${wire} provider`, provider);
  const answering = `main/${models[wire] ?? 'm'}` as const;
  return createRouter({
    providers: { main: provider },
    defaults: {
      repairAttempts: 0,
      retry: { attempts: 0 },
      circuit: { consecutiveFailures: 999, failureRate: 1 },
    },
    tiers: {
      t: { targets: [answering] },
      hedged: { targets: ['main/silent', answering], hedge: { afterMs: 5, maxExtra: 1 } },
    },
  });
}

type Opened = ReturnType<typeof openRouter>;

type Options = NonNullable<Parameters<Opened['complete']>[2]>;

/** One call, or two that share one request. Nothing of the caller may be reachable when it returns. */
async function call(
  router: Opened,
  mode: 'complete' | 'stream',
  ending: Ending,
  name: string,
  watched: Watched,
  longLived: AbortSignal,
): Promise<void> {
  const controller = new AbortController();
  if (ending !== 'shared') watched.add(`${name} signal`, controller.signal);
  const verdict = ending === 'rejected-output' ? 'not valid' : true;
  const options: Options = {
    signal: ending === 'shared' ? longLived : controller.signal,
    validate: watched.add(`${name} validate`, () => verdict),
    ...(ending === 'shared' && { singleFlight: true }),
    ...(ending === 'schema' && { schema: watched.add(`${name} schema`, { ...object }) }),
  };
  const tier = ending === 'hedged' ? 'hedged' : 't';
  const prompt = `${mark(name, 'prompt')} ${wordsFor[ending] ?? ''}`;
  if (ending === 'aborted') void wait(30).then(() => controller.abort(new Error('enough')));
  const ask = async (): Promise<void> => {
    if (mode === 'complete') {
      if (ending === 'late-abort') void wait(30).then(() => controller.abort());
      await router.complete(tier, prompt, options);
      return;
    }
    for await (const part of router.stream(tier, prompt, options)) {
      if (part.type !== 'text-delta') continue;
      if (ending === 'left') return;
      if (ending === 'late-abort') controller.abort();
    }
  };
  const calls = ending === 'shared' ? [ask(), ask()] : [ask()];
  const outcomes = await Promise.allSettled(calls);
  const isExpectedOk = ['ok', 'schema', 'hedged', 'shared', 'left'].includes(ending);
  const isStreamed = ending === 'left' && mode === 'stream';
  for (const { status } of outcomes) {
    if (ending === 'left' && !isStreamed) continue;
    if ((status === 'fulfilled') === isExpectedOk) continue;
    throw new Error(`${name}: ${JSON.stringify(outcomes)}`);
  }
}

/** Returns the marks that are in the heap directly after a call, before anything else runs. */
async function callAll(
  routers: Map<string, Opened>,
  watched: Watched,
  longLived: AbortSignal,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (const [index, [wire, router]] of [...routers].entries()) {
    for (const mode of ['complete', 'stream'] as const) {
      for (const ending of endings) {
        if (ending === 'left' && mode === 'complete') continue;
        await call(router, mode, ending, `${wire}-${mode}-${ending}`, watched, longLived);
        const isSearched = index % sampled(1, 3) === 0;
        if (isSearched && mode === 'complete' && ending === 'rejected-output')
          found.push(...(await marksInHeap()));
      }
    }
  }
  return found;
}

async function callWithLargeImage(router: Opened): Promise<void> {
  const data = Buffer.alloc(largeLength).toString('base64');
  const image = { type: 'image', source: { data, mediaType: 'image/png' } } as const;
  const content = [{ type: 'text', text: 'large' }, image] as const;
  const { text } = await router.complete('t', [{ role: 'user', content }]);
  if (text.length < largeLength) throw new Error('the answer is not large');
}

/** Additional bytes in use after a call with a large prompt and a large answer over each wire. */
async function bytesLeftByLargeCalls(routers: Map<string, Opened>): Promise<number> {
  const before = await bytesInUse();
  for (const router of routers.values()) await callWithLargeImage(router);
  await wait(50);
  return (await bytesInUse()) - before;
}

const worker = new Worker(new URL('./vendors.ts', import.meta.url));
const [urls] = (await once(worker, 'message')) as [Urls];
const ofCalls = new Watched();
const ofRouters = new Watched();
const longLived = new AbortController();
const routers = new Map<string, Opened>();
for (const wire of Object.keys(providersAt(urls, () => ''))) {
  routers.set(wire, openRouter(wire, urls, ofRouters));
}
const atOnce = await callAll(routers, ofCalls, longLived.signal);
const open = { objects: await ofCalls.retained(), texts: await marksInHeap() };
const listeners = getEventListeners(longLived.signal, 'abort').length;
const bytes = await bytesLeftByLargeCalls(routers);
await Promise.all([...routers.values()].map((router) => router.close()));
const closed = { objects: await ofCalls.retained(), texts: await marksInHeap() };
routers.clear();
const gone = { objects: await ofRouters.retained(), texts: await marksInHeap() };
console.log(JSON.stringify({ atOnce, open, listeners, bytes, closed, gone }));
process.exit();

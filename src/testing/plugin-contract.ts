import assert from 'node:assert/strict';
import { isSignalboxError, SignalboxError } from '../errors.ts';
import { withoutUndefined } from '../internal/own.ts';
import type { Completion } from '../protocol/completion.ts';
import type { Plugin } from '../protocol/plugin.ts';
import type { StreamPart } from '../protocol/stream-part.ts';
import { createRouter } from '../router.ts';
import { invalidArgument, isObject } from './check-arguments.ts';
import type { ContractCase } from './contract/probe.ts';
import { type FakeScript, fakeProvider } from './fake-provider.ts';
import { fakeRuntime } from './fake-runtime.ts';

export type TestPluginOptions = {
  /** Makes the plugin; called for each case. */
  readonly plugin: () => Plugin;
  /** A prompt that the plugin lets through. @default a short question */
  readonly prompt?: string | undefined;
  /** The model's answer, which the plugin lets through; it may change it. @default two sentences */
  readonly answer?: string | undefined;
};

const usual = {
  prompt: 'Which port does Redis listen on?',
  answer: 'Redis listens on port 6379. Sentinels listen on port 26379.',
};

type Bench = Readonly<Record<'prompt' | 'answer', string>> & Pick<TestPluginOptions, 'plugin'>;

function setUp({ plugin }: Bench, script: FakeScript) {
  const runtime = fakeRuntime({ time: 'auto' });
  const made = plugin();
  const main = fakeProvider(script, { runtime });
  const router = createRouter({
    runtime,
    providers: { main },
    prices: { 'main/m': { input: 1, output: 1 } },
    tiers: { t: { targets: ['main/m'], midStream: 'restart', retry: { attempts: 1, minMs: 1 } } },
    plugins: [made],
  });
  return { runtime, router, main, made };
}

async function readAll(parts: AsyncIterable<StreamPart>): Promise<readonly StreamPart[]> {
  const all: StreamPart[] = [];
  for await (const part of parts) all.push(part);
  return all;
}

/** The text that a reader has in the end: what came before a restart is void. */
function textOf(parts: readonly StreamPart[]): string {
  const from = parts.findLastIndex(({ type }) => type === 'restart') + 1;
  return parts
    .slice(from)
    .map((part) => (part.type === 'text-delta' ? part.delta : ''))
    .join('');
}

function completionIn(parts: readonly StreamPart[]): Completion {
  const last = parts.at(-1);
  assert.equal(last?.type, 'finish', 'the last part of a stream must be "finish"');
  return (last as Extract<StreamPart, { type: 'finish' }>).completion;
}

/** The answer in pieces of `size` characters. */
function pieces(text: string, size: number): readonly string[] {
  const count = Math.ceil(text.length / size);
  return Array.from({ length: count }, (_, index) => text.slice(index * size, (index + 1) * size));
}

async function streamed(bench: Bench, script: FakeScript): Promise<readonly StreamPart[]> {
  const { router } = setUp(bench, script);
  return readAll(router.stream('t', bench.prompt));
}

const cases: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  async 'lets an answer through'(bench) {
    const { router, runtime } = setUp(bench, bench.answer);
    const { text, finishReason } = await router.complete('t', bench.prompt);
    assert.notEqual(text.trim(), '', 'the answer must not be empty');
    assert.equal(finishReason, 'stop');
    await router.close();
    assert.equal(runtime.pending, 0, 'no timer may be left after a call');
  },
  async 'gives a stream the same answer as complete'(bench) {
    const { router } = setUp(bench, bench.answer);
    const { text } = await router.complete('t', bench.prompt);
    const parts = await streamed(bench, { chunks: pieces(bench.answer, 12) });
    assert.equal(textOf(parts), text, 'the deltas must add up to the text of complete()');
    assert.equal(completionIn(parts).text, text);
    const finishes = parts.filter(({ type }) => type === 'finish');
    assert.equal(finishes.length, 1, 'there must be one "finish"');
  },
  async 'does not depend on how the text is cut into parts'(bench) {
    const whole = completionIn(await streamed(bench, bench.answer)).text;
    for (const size of [1, 2, 3, 5, 8]) {
      const parts = await streamed(bench, { chunks: pieces(bench.answer, size) });
      assert.equal(textOf(parts), whole, `deltas of ${size} characters must give the same text`);
    }
  },
  async 'starts over when the answer restarts'(bench) {
    const whole = completionIn(await streamed(bench, bench.answer)).text;
    const chunks = pieces(bench.answer, 3);
    const parts = await streamed(bench, [{ chunks, cutAfter: 3 }, { chunks }]);
    assert.ok(parts.some(({ type }) => type === 'restart'));
    assert.equal(textOf(parts), whole, 'nothing of the part before the restart may remain');
  },
  async 'keeps calls apart that run at the same time'(bench) {
    const alone = completionIn(await streamed(bench, bench.answer)).text;
    const { router } = setUp(bench, { chunks: pieces(bench.answer, 4), chunkDelayMs: 10 });
    const all = Array.from({ length: 5 }, () => readAll(router.stream('t', bench.prompt)));
    for (const parts of await Promise.all(all)) assert.equal(textOf(parts), alone);
  },
  async 'ends with the call when it is aborted'(bench) {
    const { router, runtime } = setUp(bench, { chunks: ['x'], stallAfter: 0 });
    const caller = new AbortController();
    const call = router.complete('t', bench.prompt, { signal: caller.signal });
    const failure = call.catch((error: unknown) => error);
    await runtime.settle();
    caller.abort(new Error('enough'));
    assert.ok(isSignalboxError(await failure, 'aborted'), 'the call must fail with "aborted"');
    await router.close();
    assert.equal(runtime.pending, 0, 'no timer may be left after a call');
  },
  async 'passes the failure of a call on'(bench) {
    const error = new SignalboxError('invalid_request', 'bad request');
    const { router } = setUp(bench, { error });
    await assert.rejects(
      router.complete('t', bench.prompt),
      (thrown) => isSignalboxError(thrown, 'invalid_request'),
      'the error of the call must stay what it is',
    );
  },
  async 'says nothing of the prompt in its errors'(bench) {
    const secret = 'zq-9417-zq';
    const { router } = setUp(bench, bench.answer);
    const call = router.complete('t', `${bench.prompt} ${secret}`);
    const failure = await call.catch((error: unknown) => error);
    if (!(failure instanceof Error)) return;
    assert.ok(!failure.message.includes(secret), 'no message may quote the prompt');
  },
  async 'has no listener that fails'(bench) {
    const chunks = pieces(bench.answer, 3);
    const { router, runtime } = setUp(bench, [
      { error: 'overloaded' },
      { chunks },
      { chunks, cutAfter: 2 },
      { chunks },
      { error: 'rate_limited' },
    ]);
    const failures: unknown[] = [];
    router.on('listener-error', ({ error }) => failures.push(error));
    await router.complete('t', bench.prompt);
    await readAll(router.stream('t', bench.prompt));
    await router.complete('t', bench.prompt).catch(() => undefined);
    await runtime.settle();
    await router.close();
    assert.deepEqual(failures, [], 'no listener in "on" may throw or reject');
  },
  async 'can be closed'(bench) {
    const { router, made } = setUp(bench, bench.answer);
    await router.complete('t', bench.prompt);
    await router.close();
    await made.close?.();
  },
};

/**
 * Checks a plugin: that it lets calls through, that streams and whole answers agree however the text is cut, that it
 * survives restarts, aborts and calls at the same time. Belongs to no test framework:
 *
 * ```ts
 * for (const { name, run } of testPlugin({ plugin: () => redactNames() })) it(name, run);
 * ```
 *
 * It does not check what the plugin is for.
 * @throws TypeError for bad options
 */
export function testPlugin(options: TestPluginOptions): readonly ContractCase[] {
  if (!isObject(options)) throw invalidArgument('testPlugin()', 'called with an object');
  if (typeof options.plugin !== 'function') {
    throw invalidArgument('testPlugin().plugin', 'a function that makes the plugin');
  }
  const bench = { ...usual, ...withoutUndefined(options) };
  return Object.entries(cases).map(([name, body]) => ({ name, run: () => body(bench) }));
}

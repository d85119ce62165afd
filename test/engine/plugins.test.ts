import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  type ErrorCode,
  isSignalboxError,
  type Plugin,
  SignalboxError,
  type StreamPart,
} from '../../src/index.ts';
import type { PluginCall, PluginCallEnd, PluginParts } from '../../src/protocol/plugin.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import { recordEvents } from '../../src/testing/record-events.ts';
import { hideName } from '../support/plugins.ts';
import { vectorsAndImages } from '../support/vectors-and-images.ts';

const price = { input: 1, output: 1 };

type Setting = {
  readonly a?: FakeScript;
  readonly b?: FakeScript;
  readonly tier?: object;
  readonly time?: 'auto' | 'manual';
};

function setUp(plugins: readonly Plugin[], { a = 'fine', b = 'spare', tier, time }: Setting = {}) {
  const runtime = fakeRuntime({ time: time ?? 'auto' });
  const providers = { a: fakeProvider(a, { runtime }), b: fakeProvider(b, { runtime }) };
  const router = createRouter({
    runtime,
    providers,
    prices: { 'a/m': price, 'b/m': price },
    tiers: {
      t: { targets: ['a/m', 'b/m'], retry: { minMs: 1 }, ...tier },
      bare: { targets: ['a/m'] },
    },
    plugins,
  });
  return { runtime, router, ...providers, events: recordEvents(router) };
}

async function read(parts: AsyncIterable<StreamPart>): Promise<readonly StreamPart[]> {
  const all: StreamPart[] = [];
  for await (const part of parts) all.push(part);
  return all;
}

function textOf(parts: readonly StreamPart[]): string {
  return parts.map((part) => (part.type === 'text-delta' ? part.delta : '')).join('');
}

async function failureOf(call: Promise<unknown>) {
  const error = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isSignalboxError(error)) throw new Error('must fail with a SignalboxError');
  return error;
}

const prompts = (fake: { readonly calls: readonly { readonly request: object }[] }): string =>
  JSON.stringify(fake.calls.map(({ request }) => request));

/** A plugin that writes down in which order its hooks run. */
function tracing(name: string, log: string[]): Plugin {
  return {
    name,
    onRequest(request) {
      log.push(`${name} request`);
      return request;
    },
    async *wrapCall(_, next) {
      log.push(`${name} enters`);
      yield* next();
      log.push(`${name} leaves`);
    },
    onParts: () => ({
      parts(batch) {
        log.push(`${name} parts`);
        return batch;
      },
    }),
    eligible() {
      log.push(`${name} eligible`);
      return true;
    },
    wrapAttempt(_, next) {
      log.push(`${name} sends`);
      return next();
    },
    accept() {
      log.push(`${name} accept`);
      return true;
    },
    close() {
      log.push(`${name} close`);
    },
  };
}

describe('the order of plugins', () => {
  it('is from the outside in for requests, and from the inside out for answers', async () => {
    const log: string[] = [];
    const { router } = setUp([tracing('outer', log), tracing('inner', log)], {
      tier: { targets: ['a/m'] },
    });
    await router.complete('t', 'hi');
    await router.close();
    expect(log).toEqual([
      'outer request',
      'inner request',
      'outer enters',
      'inner enters',
      'outer eligible',
      'inner eligible',
      'outer sends',
      'inner sends',
      'inner accept',
      'outer accept',
      'inner parts',
      'outer parts',
      'inner parts',
      'outer parts',
      'inner leaves',
      'outer leaves',
      'outer close',
      'inner close',
    ]);
  });

  it('skips a plugin in the tiers of exceptTiers', async () => {
    const log: string[] = [];
    const { router } = setUp([{ ...tracing('p', log), exceptTiers: ['bare'] }]);
    await router.complete('bare', 'hi');
    expect(log).toEqual([]);
    await router.complete('t', 'hi');
    expect(log).toContain('p request');
  });
});

describe('onRequest', () => {
  it('changes what is sent, for chat, embed and image', async () => {
    const { router, a } = setUp([hideName('Ada')]);
    await router.complete('t', 'Who is Ada?', { system: 'Be kind to Ada.' });
    expect(prompts(a)).not.toContain('Ada');
    expect(prompts(a)).toContain('Be kind to [PERSON].');
    const { provider, requests } = vectorsAndImages();
    const seen: string[] = [];
    const sees: Plugin = {
      name: 'sees',
      accept(answer, { kind, mode }) {
        seen.push(`${kind} ${mode} ${answer.vectors?.length ?? answer.content[0]?.type}`);
        return true;
      },
    };
    const others = createRouter({
      providers: { p: provider },
      tiers: { t: ['p/m'] },
      plugins: [sees, hideName('Ada')],
    });
    const { vectors } = await others.embed('t', ['Ada', 'Bob']);
    const { images } = await others.image('t', 'Ada at her desk');
    expect(vectors).toEqual([[1], [1]]);
    expect(images).toHaveLength(1);
    expect(requests).toEqual([['[PERSON]', 'Bob'], '[PERSON] at her desk']);
    expect(seen).toEqual(['embed complete 2', 'image complete image']);
  });

  it('blocks a call, naming plugin and rule and no text', async () => {
    const guard: Plugin = { name: 'guard', onRequest: () => ({ block: { rule: 'no-secrets' } }) };
    const { router, a, events } = setUp([guard]);
    const error = await failureOf(router.complete('t', 'the secret is 42'));
    expect(error).toMatchObject({ code: 'policy_blocked', policy: 'guard', rule: 'no-secrets' });
    expect(error.message).not.toContain('42');
    expect(a.calls).toHaveLength(0);
    expect(events.of('call-start')).toHaveLength(1);
    expect(events.of('call-end')).toMatchObject([
      { status: 'error', attempts: 0, usd: 0, error: { policy: 'guard', rule: 'no-secrets' } },
    ]);
  });

  it('may take its time, and ends with the call', async () => {
    const hangs: Plugin = { name: 'hangs', onRequest: () => new Promise<never>(() => undefined) };
    const { router, runtime } = setUp([hangs], { time: 'manual' });
    const failing = failureOf(router.complete('t', 'hi', { timeouts: { totalMs: 1_000 } }));
    await runtime.advance(1_000);
    expect(await failing).toMatchObject({ code: 'timeout', phase: 'total' });
    expect(runtime.pending).toBe(0);
  });

  it('fails the call when it returns another kind of request', async () => {
    const odd: Plugin = { name: 'odd', onRequest: () => ({ kind: 'image', prompt: 'x' }) };
    const { router } = setUp([odd]);
    expect(await failureOf(router.complete('t', 'hi'))).toMatchObject({
      code: 'config',
      message: 'request.kind: must stay "chat", and is "image"',
    });
  });
});

describe('a plugin that redacts', () => {
  const answer = 'Dear [PERSON], hello [PERSON]!';

  it('restores the text of a whole answer, for schema and validate too', async () => {
    const seen: string[] = [];
    const { router } = setUp([hideName('Ada')], { a: { object: { who: '[PERSON]' } } });
    const { object, text } = await router.complete('t', 'Who is Ada?', {
      schema: z.object({ who: z.literal('Ada') }),
      validate(completion) {
        seen.push(completion.text);
        return true;
      },
    });
    expect(object).toEqual({ who: 'Ada' });
    expect(seen).toEqual([text]);
    expect(text).toContain('Ada');
  });

  it.each([1, 2, 3, 5, 8, 13])('restores a stream in deltas of %i characters', async (size) => {
    const chunks = answer.match(new RegExp(`.{1,${size}}`, 'g')) ?? [];
    const { router } = setUp([hideName('Ada')], { a: { chunks } });
    const parts = await read(router.stream('t', 'Greet Ada'));
    expect(textOf(parts)).toBe('Dear Ada, hello Ada!');
    expect(parts.at(-1)).toMatchObject({ completion: { text: 'Dear Ada, hello Ada!' } });
  });

  it('lets another target continue an answer in redacted text', async () => {
    const { router, b } = setUp([hideName('Ada')], {
      a: { chunks: ['Dear [PER', 'SON], hel'], cutAfter: 2 },
      b: 'lo [PERSON]!',
      tier: { midStream: 'continue', retry: { attempts: 0 } },
    });
    const parts = await read(router.stream('t', 'Greet Ada'));
    expect(parts.map(({ type }) => type)).toContain('continue');
    expect(textOf(parts)).toBe('Dear Ada, hello Ada!');
    expect(prompts(b)).not.toContain('Ada');
    expect(prompts(b)).toContain('Dear [PERSON], hel');
  });

  it('starts over when the answer restarts', async () => {
    const { router } = setUp([hideName('Ada')], {
      a: { chunks: ['Dear [PER'], cutAfter: 1 },
      b: 'Hi [PERSON]',
      tier: { midStream: 'restart', retry: { attempts: 0 } },
    });
    const parts = await read(router.stream('t', 'Greet Ada'));
    const at = parts.findIndex(({ type }) => type === 'restart');
    expect(textOf(parts.slice(at))).toBe('Hi Ada');
  });

  it('redacts what a repair shows the model', async () => {
    const { router, a } = setUp([hideName('Ada')], { a: ['Hello [PERSON]', 'Goodbye'] });
    const { text } = await router.complete('t', 'Greet Ada', {
      validate: ({ text: said }) => (said.includes('Ada') ? 'it must not name Ada' : true),
    });
    expect(text).toBe('Goodbye');
    expect(a.calls).toHaveLength(2);
    expect(prompts(a)).not.toContain('Ada');
    expect(prompts(a)).toContain('it must not name [PERSON]');
  });

  it('restores what had arrived when a stream breaks off', async () => {
    const { router } = setUp([hideName('Ada')], {
      a: { chunks: ['Dear [PERSON]', ', how'], cutAfter: 2 },
      tier: { midStream: 'fail' },
    });
    const error = await failureOf(read(router.stream('t', 'Greet Ada')));
    expect(error).toMatchObject({ code: 'stream_interrupted', partial: { text: 'Dear Ada, how' } });
  });

  it('shows an outer plugin the innermost request and answer', async () => {
    const seen: PluginCall['innermost'][] = [];
    const audit: Plugin = {
      name: 'audit',
      async *wrapCall(call, next) {
        yield* next();
        seen.push(call.innermost);
      },
    };
    const { router } = setUp([audit, hideName('Ada')], { a: 'I know [PERSON].' });
    const { text } = await router.complete('t', 'Who is Ada?');
    expect(text).toBe('I know Ada.');
    expect(JSON.stringify(seen)).not.toContain('Ada');
    expect(seen).toMatchObject([{ answer: { text: 'I know [PERSON].' } }]);
  });
});

/** Replays whole answers of the same prompt, whatever the schema is. */
function cache(): Plugin & { readonly hits: () => number } {
  const kept = new Map<string, PluginParts>();
  let hits = 0;
  return {
    name: 'cache',
    hits: () => hits,
    async *wrapCall(call, next) {
      const key = JSON.stringify({ ...call.request, schema: undefined });
      const known = kept.get(key);
      if (known !== undefined) {
        hits += 1;
        yield known;
        return;
      }
      const parts: PluginParts[number][] = [];
      for await (const batch of next()) {
        parts.push(...batch);
        yield batch;
      }
      kept.set(key, parts);
    },
  };
}

describe('a plugin that caches', () => {
  it('replays a stream through the layers outside of it', async () => {
    const memory = cache();
    const { router, a, events } = setUp([hideName('Ada'), memory], { a: 'I know [PERSON].' });
    for (let round = 0; round < 2; round += 1) {
      const parts = await read(router.stream('t', 'Who is Ada?'));
      expect(textOf(parts)).toBe('I know Ada.');
      expect(parts.at(-1)).toMatchObject({ completion: { text: 'I know Ada.' } });
    }
    expect(a.calls).toHaveLength(1);
    expect(memory.hits()).toBe(1);
    expect(events.of('call-end')).toMatchObject([
      { status: 'ok', attempts: 1 },
      { status: 'ok', attempts: 0, usd: 0 },
    ]);
  });

  it('has its answers checked against what the caller expects', async () => {
    const { router, a } = setUp([cache()], { a: { object: { n: 1 } } });
    await router.complete('t', 'count');
    const good = await router.complete('t', 'count', { schema: z.object({ n: z.number() }) });
    expect(good.object).toEqual({ n: 1 });
    const call = router.complete('t', 'count', { schema: z.object({ n: z.string() }) });
    expect(await failureOf(call)).toMatchObject({ code: 'invalid_output' });
    expect(a.calls).toHaveLength(1);
  });

  it('shares an answer among calls with a signal of its own', async () => {
    const shares: Plugin = {
      name: 'shares',
      async *wrapCall(_, next) {
        yield* next({ signal: new AbortController().signal });
      },
    };
    const { router, a, runtime } = setUp([shares], {
      time: 'manual',
      a: { text: 'x', firstTokenDelayMs: 100 },
    });
    const caller = new AbortController();
    const failing = failureOf(router.complete('t', 'hi', { signal: caller.signal }));
    await runtime.advance(10);
    caller.abort('enough');
    expect(await failing).toMatchObject({ code: 'aborted', cause: 'enough' });
    await runtime.advance(200);
    expect(a.calls).toMatchObject([{ outcome: 'ok' }]);
    expect(router.snapshot().callsInFlight).toBe(0);
  });
});

describe('wrapAttempt', () => {
  it('is active in the async context of the request and of each read', async () => {
    const span = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const tracer: Plugin = {
      name: 'tracer',
      wrapAttempt: (attempt, next) => span.run(`span of ${attempt.target}`, next),
    };
    const { router } = setUp([tracer], {
      a: () => {
        seen.push(span.getStore());
        return { chunks: ['x', 'y'], chunkDelayMs: 5 };
      },
    });
    await span.run('caller', () => read(router.stream('t', 'hi')));
    expect(seen).toEqual(['span of a/m']);
    expect(span.getStore()).toBeUndefined();
  });

  it('reports how each attempt ended, retries, failovers and hedges too', async () => {
    const ended: string[] = [];
    const watch: Plugin = {
      name: 'watch',
      wrapAttempt(attempt, next) {
        void attempt.ended.then(({ outcome, verdict, usage }) =>
          ended.push(
            `${attempt.attempt} ${attempt.target} ${outcome} ${verdict} ${usage?.totalTokens ?? ''}`,
          ),
        );
        return next();
      },
    };
    const { router, runtime } = setUp([watch], {
      a: [{ error: 'server_error' }, { error: 'server_error' }, { hang: true }],
      b: { text: 'late', firstTokenDelayMs: 10 },
      tier: { hedge: { afterMs: 100, maxExtra: 1 } },
    });
    await router.complete('t', 'hi');
    await router.complete('t', 'hi');
    await runtime.settle();
    expect(ended).toEqual([
      '1 a/m error retry ',
      '2 a/m error next ',
      '3 b/m ok done 8',
      '1 a/m aborted stop ',
      '2 b/m ok done 8',
    ]);
  });

  it('fails the call when it throws, and passes on what the vendor failed with', async () => {
    const throws: Plugin = {
      name: 'throws',
      wrapAttempt() {
        throw new TypeError('oops');
      },
    };
    const { router, a } = setUp([throws]);
    expect(await failureOf(router.complete('t', 'hi'))).toMatchObject({
      code: 'plugin_failed',
      policy: 'throws',
      message: expect.stringContaining('plugin "throws" failed'),
    });
    expect(a.calls).toHaveLength(0);
    const passes = setUp([tracing('p', [])], { a: { error: 'server_error' } });
    const { trail } = await passes.router.complete('t', 'hi');
    expect(trail[0]?.error?.code).toBe('server_error');
  });
});

describe('eligible', () => {
  const noA: Plugin = {
    name: 'regions',
    eligible: ({ provider }) => provider !== 'a' || 'not in this region',
  };

  it('excludes targets, with its reason in the trail', async () => {
    const { router, a } = setUp([noA]);
    const { text, trail } = await router.complete('t', 'hi');
    expect(text).toBe('spare');
    expect(a.calls).toHaveLength(0);
    expect(trail[0]).toMatchObject({
      target: 'a/m',
      outcome: 'skipped',
      reason: 'excluded by plugin "regions": not in this region',
    });
  });

  it('holds for hedges', async () => {
    const noB: Plugin = { name: 'r', eligible: ({ provider }) => provider !== 'b' || 'no' };
    const { router, b } = setUp([noB], {
      a: { text: 'slow', firstTokenDelayMs: 500 },
      tier: { hedge: { afterMs: 100, maxExtra: 1 } },
    });
    expect((await router.complete('t', 'hi')).text).toBe('slow');
    expect(b.calls).toHaveLength(0);
  });
});

describe('accept', () => {
  it('rejects an answer, which is repaired, and then goes to the next target', async () => {
    const strict: Plugin = {
      name: 'strict',
      accept: ({ text }) => (text === 'spare' ? true : { reason: 'it is not spare' }),
    };
    const { router, a, b } = setUp([strict]);
    expect((await router.complete('t', 'hi')).text).toBe('spare');
    expect(a.calls).toHaveLength(2);
    expect(prompts(a)).toContain('it is not spare');
    expect(b.calls).toHaveLength(1);
  });

  it('ends a stream whose answer it rejects', async () => {
    const never: Plugin = { name: 'never', accept: async () => ({ reason: 'no' }) };
    const { router } = setUp([never], { tier: { repairAttempts: 0, targets: ['a/m'] } });
    const error = await failureOf(read(router.stream('t', 'hi')));
    expect(error).toMatchObject({ code: 'invalid_output' });
    expect(error.message).toContain('plugin "never" rejected it');
  });
});

describe('verdicts', () => {
  it('are events of the call, with the name of the plugin', async () => {
    const watcher: Plugin = {
      name: 'watcher',
      onRequest(request, call) {
        call.verdict({ kind: 'flag', rule: 'long', counts: { words: 2 } });
        return request;
      },
    };
    const { router, events } = setUp([watcher]);
    const { callId } = await router.complete('t', 'hi there', { tags: { user: 'ann' } });
    expect(events.of('policy-verdict')).toEqual([
      {
        ...{ type: 'policy-verdict', at: expect.any(Number), callId, tier: 't' },
        ...{ tags: { user: 'ann' }, policy: 'watcher' },
        ...{ kind: 'flag', rule: 'long', counts: { words: 2 } },
      },
    ]);
  });

  it('are emitted for what is blocked and denied', async () => {
    const pay = { id: '1', name: 'pay', input: {} };
    const guard: Plugin = {
      name: 'guard',
      onRequest: (request, { tier }) =>
        tier === 'bare' ? { block: { rule: 'not-here', counts: { score: 3 } } } : request,
      onToolCall: () => ({ deny: 'too-much' }),
    };
    const { router, events } = setUp([guard], { a: { toolCalls: [pay] } });
    const tools = [{ name: 'pay', inputSchema: z.object({}) }];
    await failureOf(router.complete('bare', 'hi'));
    await router.complete('t', 'hi', { tools });
    await read(router.stream('t', 'hi', { tools }));
    const deny = { policy: 'guard', kind: 'deny', rule: 'too-much' };
    expect(events.of('policy-verdict')).toMatchObject([
      { policy: 'guard', kind: 'block', rule: 'not-here', counts: { score: 3 }, tier: 'bare' },
      deny,
      deny,
    ]);
  });
});

describe('onEnd', () => {
  type Ended = PluginCallEnd & { readonly tier: string; readonly parent: string | undefined };

  function recorder(name: string, ended: Ended[], more: Partial<Plugin> = {}): Plugin {
    return {
      name,
      onEnd: (end, { tier, parent }) => void ended.push({ ...end, tier, parent }),
      ...more,
    };
  }

  it('gets the answer and what it cost, before the caller does', async () => {
    const ended: Ended[] = [];
    const { router } = setUp([recorder('log', ended)], { a: { error: 'overloaded' } });
    const answer = await router.complete('t', 'hi').then((completion) => {
      expect(ended).toHaveLength(1);
      return completion;
    });
    expect(ended[0]).toMatchObject({ status: 'ok', usd: answer.cost.attemptsUsd, verdicts: [] });
    expect(ended[0]?.answer?.text).toBe('spare');
    expect(ended[0]?.trail).toEqual(answer.trail);
  });

  it.each([
    ['outside', 0],
    ['inside', 1],
  ])('is called for a call that is blocked by a plugin %s of it', async (_, index) => {
    const ended: Ended[] = [];
    const plugins: Plugin[] = [recorder('log', ended)];
    plugins.splice(index, 0, { name: 'guard', onRequest: () => ({ block: { rule: 'no' } }) });
    const { router } = setUp(plugins);
    await failureOf(router.complete('t', 'hi'));
    expect(ended).toMatchObject([
      {
        status: 'error',
        error: { code: 'policy_blocked', policy: 'guard', rule: 'no' },
        verdicts: [{ policy: 'guard', kind: 'block', rule: 'no' }],
      },
    ]);
    expect(ended[0]).not.toHaveProperty('innermost');
  });

  it('is called once when the call fails, is aborted, or its reader leaves', async () => {
    const ended: Ended[] = [];
    const error = new SignalboxError('invalid_request', 'bad request');
    const failing = setUp([recorder('log', ended)], { a: { error }, b: { error } });
    await failureOf(failing.router.complete('t', 'hi'));
    const hanging = setUp([recorder('log', ended)], { a: { chunks: ['x', 'y'], stallAfter: 1 } });
    const caller = new AbortController();
    const call = hanging.router.complete('t', 'hi', { signal: caller.signal });
    caller.abort();
    await failureOf(call);
    const left = setUp([recorder('log', ended)], { a: { chunks: ['x', 'y', 'z'] } });
    for await (const part of left.router.stream('t', 'hi')) if (part.type === 'text-delta') break;
    await left.router.close();
    expect(ended.map(({ status, error: { code } = {} }) => [status, code])).toEqual([
      ['error', 'invalid_request'],
      ['aborted', 'aborted'],
      ['aborted', 'aborted'],
    ]);
  });

  it('is called for the calls of the plugins inside, and of those outside', async () => {
    const ended: Ended[] = [];
    const asks = (name: string): Plugin => ({
      name,
      async onRequest(request, call) {
        await call.ask('bare', 'is this fine?');
        return request;
      },
    });
    const { router } = setUp([asks('outer'), recorder('log', ended), asks('inner')]);
    const { callId } = await router.complete('t', 'hi');
    // The question of `outer` passes `inner`, which asks too.
    expect(ended.map(({ tier }) => tier)).toEqual(['bare', 'bare', 'bare', 't']);
    expect(ended.map(({ parent }) => parent)).toEqual(
      [expect.not.stringMatching(callId), callId, callId, undefined].map((each, index) =>
        index === 0 ? expect.any(String) : each,
      ),
    );
  });

  it('does not watch the calls that it makes itself', async () => {
    const ended: Ended[] = [];
    const asking = recorder('log', ended);
    const { router } = setUp([
      {
        ...asking,
        async onEnd(end, call) {
          await asking.onEnd?.(end, call);
          if (call.parent === undefined) await call.ask('bare', 'sum it up');
        },
      },
    ]);
    await router.complete('t', 'hi');
    expect(ended).toHaveLength(1);
  });

  it('fails the call when it throws, unless it fails open', async () => {
    const full = (): never => {
      throw new Error('disk full');
    };
    const closed = setUp([{ name: 'log', onEnd: full }]);
    const failure = await failureOf(closed.router.complete('t', 'hi'));
    expect(failure).toMatchObject({ code: 'plugin_failed', policy: 'log' });
    expect(closed.events.of('call-end')).toMatchObject([
      { status: 'error', error: { code: 'plugin_failed' } },
    ]);
    const open = setUp([{ name: 'log', onEnd: full, failOpen: true }]);
    expect((await open.router.complete('t', 'hi')).text).toBe('fine');
  });

  it('does not hold an aborted call for ever', async () => {
    const { router, runtime } = setUp(
      [{ name: 'log', onEnd: () => new Promise(() => undefined) }],
      {
        a: { chunks: ['x'], stallAfter: 0 },
      },
    );
    const caller = new AbortController();
    const call = failureOf(router.complete('t', 'hi', { signal: caller.signal }));
    await runtime.settle();
    caller.abort();
    expect(await call).toMatchObject({ code: 'aborted' });
  });
});

describe('onCreate', () => {
  it('sees the plugins, and emits heads', () => {
    const seen: unknown[] = [];
    const log: Plugin = {
      name: 'log',
      onCreate({ plugins, auditHead }) {
        seen.push(plugins.map(({ name }) => name));
        queueMicrotask(() => auditHead({ lines: 2, head: '2:ab' }));
      },
    };
    const { events } = setUp([log, { name: 'other' }]);
    expect(seen).toEqual([['log', 'other']]);
    return Promise.resolve().then(() => {
      expect(events.of('audit-head')).toMatchObject([
        { policy: 'log', lines: 2, head: '2:ab', callId: null, tier: null },
      ]);
    });
  });
});

describe('onToolCall', () => {
  const tools = [{ name: 'pay', inputSchema: z.object({ usd: z.number() }) }] as const;
  const pays = {
    text: 'Paying.',
    toolCalls: [{ id: '1', name: 'pay', input: { usd: 100 } }],
  };
  const guard = (decide: Plugin['onToolCall']): Plugin => ({
    name: 'guard',
    ...(decide !== undefined && { onToolCall: decide }),
  });

  it('denies a call: it is marked in content, and not in toolCalls', async () => {
    let asked = 0;
    const denies = guard(() => {
      asked += 1;
      return { deny: 'too-much' };
    });
    const { router } = setUp([denies], { a: pays });
    const parts = await read(router.stream('t', 'pay', { tools }));
    expect(parts.map(({ type }) => type)).not.toContain('tool-call-start');
    const denied = {
      type: 'tool-call',
      name: 'pay',
      denied: { plugin: 'guard', rule: 'too-much' },
    };
    expect(parts.filter(({ type }) => type === 'part-end')).toMatchObject([
      { part: { type: 'text' } },
      { part: denied },
    ]);
    expect(parts.at(-1)).toMatchObject({ completion: { toolCalls: [], content: [{}, denied] } });
    expect(asked).toBe(1);
  });

  it('replaces the input, in the stream and in the answer', async () => {
    const { router } = setUp([guard(() => ({ replace: { usd: 1 } }))], { a: pays });
    const parts = await read(router.stream('t', 'pay', { tools }));
    const delta = parts.find((part) => part.type === 'tool-call-delta');
    expect(delta).toMatchObject({ delta: '{"usd":1}' });
    expect(parts.at(-1)).toMatchObject({ completion: { toolCalls: [{ input: { usd: 1 } }] } });
    const { toolCalls } = await router.complete('t', 'pay', { tools });
    expect(toolCalls).toMatchObject([{ input: { usd: 1 } }]);
  });

  it('holds the parts of a call back until it has decided', async () => {
    const decided = Promise.withResolvers<'allow'>();
    const { router, runtime } = setUp([guard(() => decided.promise)], { a: pays, time: 'manual' });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { type } of router.stream('t', 'pay', { tools })) seen.push(type);
    })();
    await runtime.settle();
    expect(seen).not.toContain('tool-call-start');
    decided.resolve('allow');
    await reading;
    expect(seen).toContain('tool-call-start');
  });
});

describe('a plugin that throws', () => {
  const oops = (): never => {
    throw new Error('the prompt was: secret');
  };
  const broken: Readonly<Record<string, Partial<Plugin>>> = {
    onRequest: { onRequest: oops },
    wrapCall: { wrapCall: oops },
    onParts: { onParts: oops },
    parts: { onParts: () => ({ parts: oops }) },
    end: { onParts: () => ({ parts: (batch) => batch, end: oops }) },
    eligible: { eligible: oops },
    wrapAttempt: { wrapAttempt: oops },
    accept: { accept: oops },
    onToolCall: { onToolCall: oops },
  };
  const script = { text: 'fine', toolCalls: [{ name: 'look', input: {} }] };
  const tools = [{ name: 'look', inputSchema: { type: 'object' } }] as const;
  const ways = {
    complete: (router: ReturnType<typeof setUp>['router']) => router.complete('t', 'hi', { tools }),
    stream: (router: ReturnType<typeof setUp>['router']) =>
      router.stream('t', 'hi', { tools }).completion,
  };

  describe.each(Object.entries(ways))('in %s', (_, run) => {
    it.each(Object.entries(broken))('fails the call in %s', async (_name, hooks) => {
      const { router, events } = setUp([{ name: 'bad', ...hooks }], { a: script, b: script });
      const error = await failureOf(run(router));
      expect(error).toMatchObject({ code: 'plugin_failed', policy: 'bad' });
      expect(error.message).not.toContain('secret');
      expect(events.of('call-end')).toMatchObject([{ status: 'error' }]);
      expect(router.snapshot().callsInFlight).toBe(0);
    });

    it.each(Object.entries(broken))('is passed over in %s with failOpen', async (_name, hooks) => {
      const plugin: Plugin = { name: 'bad', failOpen: true, ...hooks };
      const { router } = setUp([plugin], { a: script, b: script });
      expect(await run(router)).toMatchObject({ text: 'fine', toolCalls: [{ name: 'look' }] });
    });
  });

  it('fails the call when it ends without an answer, or runs next() twice', async () => {
    const ends: Plugin = { name: 'ends', async *wrapCall() {} };
    expect(await failureOf(setUp([ends]).router.complete('t', 'hi'))).toMatchObject({
      code: 'plugin_failed',
    });
    const twice: Plugin = {
      name: 'twice',
      async *wrapCall(_, next) {
        yield* next();
        yield* next();
      },
    };
    const { router, a } = setUp([twice]);
    await router.complete('t', 'hi').catch(() => undefined);
    expect(a.calls).toHaveLength(1);
  });
});

describe('an abort inside of a plugin', () => {
  const at = ['onRequest', 'wrapCall', 'parts', 'wrapAttempt', 'accept'] as const;
  const forever = (): Promise<never> => new Promise(() => undefined);
  const hanging: Readonly<Record<(typeof at)[number], Partial<Plugin>>> = {
    onRequest: { onRequest: forever },
    wrapCall: {
      async *wrapCall(_, next) {
        for await (const batch of next()) {
          yield batch;
          await forever();
        }
      },
    },
    parts: { onParts: () => ({ parts: forever }) },
    wrapAttempt: {
      async *wrapAttempt(_, next) {
        for await (const batch of next()) {
          yield batch;
          await forever();
        }
      },
    },
    accept: { accept: forever },
  };

  it.each(at)('ends the call that hangs in %s, and its request', async (name) => {
    const { router, runtime, a, events } = setUp([{ name: 'hangs', ...hanging[name] }], {
      a: { chunks: ['x', 'y'], chunkDelayMs: 10 },
      time: 'manual',
    });
    const caller = new AbortController();
    const failing = failureOf(router.stream('t', 'hi', { signal: caller.signal }).completion);
    await runtime.advance(1_000);
    caller.abort('enough');
    expect(await failing).toMatchObject({ code: 'aborted', cause: 'enough' });
    await runtime.advance(0);
    expect(a.calls.filter(({ outcome }) => outcome === 'running')).toEqual([]);
    expect(events.of('call-end')).toMatchObject([{ status: 'aborted' }]);
    expect(events.of('attempt-end')).toHaveLength(a.calls.length);
    expect(router.snapshot().callsInFlight).toBe(0);
    expect(runtime.pending).toBe(0);
  });

  it('ends a call whose reader leaves while a plugin hangs', async () => {
    const { router, runtime, a } = setUp([{ name: 'hangs', ...hanging.wrapCall }], {
      a: { chunks: ['x', 'y'], stallAfter: 1 },
      time: 'manual',
    });
    const reader = router.stream('t', 'hi')[Symbol.asyncIterator]();
    await reader.next();
    await reader.return?.();
    await runtime.advance(0);
    expect(a.calls).toMatchObject([{ outcome: 'aborted' }]);
    expect(router.snapshot().callsInFlight).toBe(0);
  });
});

describe('calls on behalf of a call', () => {
  it('pass the inner plugins only, have their own tags, and end with the call', async () => {
    const log: string[] = [];
    const asks: Plugin = {
      name: 'asks',
      async onRequest(request, call) {
        log.push(call.kind);
        const { text, tags } = await call.ask('bare', 'is Ada nice?', { tags: { by: 'asks' } });
        log.push(text, JSON.stringify(tags));
        return request;
      },
    };
    const { router, a, events } = setUp([tracing('outer', []), asks, hideName('Ada')], {
      a: 'yes, [PERSON]',
    });
    await router.complete('t', 'hi', { tags: { user: 'u1' } });
    expect(log).toEqual(['chat', 'yes, Ada', '{"by":"asks"}']);
    expect(prompts(a)).not.toContain('Ada');
    expect(events.of('call-end')).toMatchObject([
      { tags: { by: 'asks' } },
      { tags: { user: 'u1' } },
    ]);
  });

  it('end when the call does', async () => {
    const asks: Plugin = {
      name: 'asks',
      async onRequest(request, call) {
        await call.ask('bare', 'hello?');
        return request;
      },
    };
    const { router, a, runtime } = setUp([asks], { a: { hang: true }, time: 'manual' });
    const failing = failureOf(router.complete('t', 'hi', { timeouts: { totalMs: 500 } }));
    await runtime.advance(500);
    expect(await failing).toMatchObject({ code: 'timeout', phase: 'total' });
    await runtime.advance(0);
    expect(a.calls).toMatchObject([{ outcome: 'aborted' }]);
    expect(runtime.pending).toBe(0);
  });

  it('send nothing and emit nothing for a layer that goes on after the call has ended', async () => {
    const late: Plugin = {
      name: 'late',
      async *wrapCall(call, next) {
        await call.ask('bare', 'hello?').catch(() => undefined);
        yield* next();
      },
    };
    const { router, a, runtime, events } = setUp([late], { a: { hang: true }, time: 'manual' });
    const failing = failureOf(router.complete('t', 'hi', { timeouts: { totalMs: 500 } }));
    await runtime.advance(500);
    expect(await failing).toMatchObject({ code: 'timeout', phase: 'total' });
    await runtime.advance(0);
    expect(a.calls).toMatchObject([{ outcome: 'aborted' }]);
    const own = events.of('call-end').find(({ error }) => error?.code === 'timeout')?.callId;
    const types = events.events.filter(({ callId }) => callId === own).map(({ type }) => type);
    expect(types).toEqual(['call-start', 'call-end']);
  });

  it('fork the request of the layer to another target', async () => {
    const forked: string[] = [];
    const shadow: Plugin = {
      name: 'shadow',
      async *wrapCall(call, next) {
        const fork = call.fork({ target: 'b/other', tags: { shadow: 'yes' } });
        yield* next();
        const { text, target, tags } = await fork;
        forked.push(text, target, JSON.stringify(tags));
      },
    };
    const { router, b } = setUp([shadow, hideName('Ada')], { b: 'I know [PERSON] too' });
    expect((await router.complete('t', 'Who is Ada?')).text).toBe('fine');
    expect(forked).toEqual(['I know Ada too', 'b/other', '{"shadow":"yes"}']);
    expect(prompts(b)).not.toContain('Ada');
  });

  it('fork to no other target, whatever the tier lists for the failure', async () => {
    const failures: unknown[] = [];
    const shadow: Plugin = {
      name: 'shadow',
      async *wrapCall(call, next) {
        failures.push(await failureOf(call.fork({ target: 'b/other' })));
        yield* next();
      },
    };
    const { router, a } = setUp([shadow], {
      b: { error: 'content_filter' },
      tier: { fallbacks: { content_filter: ['a/m'] } },
    });
    await router.complete('t', 'hi');
    expect(failures).toMatchObject([{ code: 'content_filter' }]);
    expect(a.calls).toHaveLength(1);
  });

  it('reject a target of a provider that is not configured', async () => {
    const codes: ErrorCode[] = [];
    const forks: Plugin = {
      name: 'forks',
      async *wrapCall(call, next) {
        codes.push((await failureOf(call.fork({ target: 'c/m' }))).code);
        yield* next();
      },
    };
    await setUp([forks]).router.complete('t', 'hi');
    expect(codes).toEqual(['config']);
  });
});

describe('plugins and the rest', () => {
  it('run around a shared request, which each call sees through its own layers', async () => {
    const log: string[] = [];
    const { router, a, events } = setUp([tracing('p', log), hideName('Ada')], {
      a: 'I know [PERSON].',
      tier: { singleFlight: true },
    });
    const calls = [1, 2, 3].map((user) =>
      router.complete('t', 'Who is Ada?', { tags: { user: String(user) } }),
    );
    const answers = await Promise.all(calls);
    expect(answers.map(({ text }) => text)).toEqual(Array(3).fill('I know Ada.'));
    expect(answers.map(({ shared }) => shared)).toEqual([undefined, true, true]);
    expect(answers.map(({ tags }) => tags.user)).toEqual(['1', '2', '3']);
    expect(a.calls).toHaveLength(1);
    expect(log.filter((line) => line === 'p request')).toHaveLength(3);
    expect(events.of('call-end')).toHaveLength(3);
    expect(events.of('cost')).toHaveLength(1);
  });

  it('run around a shared request that goes on when the call that started it is aborted', async () => {
    const { router, a, runtime } = setUp([hideName('Ada')], {
      a: { text: 'I know [PERSON].', firstTokenDelayMs: 100 },
      tier: { singleFlight: true },
      time: 'manual',
    });
    const ends: object[] = [];
    router.on('*', (event) => {
      if (/^(?:call-end|cost|attempt-end)$/.test(event.type)) ends.push(event);
    });
    const leaving = new AbortController();
    const ask = (user: string, signal?: AbortSignal) =>
      router.complete('t', 'Who is Ada?', { signal, tags: { user } });
    const first = failureOf(ask('1', leaving.signal));
    const other = ask('2');
    await runtime.advance(10);
    leaving.abort();
    expect((await first).code).toBe('aborted');
    await runtime.advance(1_000);
    expect(await other).toMatchObject({ text: 'I know Ada.', shared: true });
    expect(a.calls).toMatchObject([{ outcome: 'ok' }]);
    // The request is still of the call that started it, whose end has come before.
    expect(ends).toMatchObject([
      { type: 'call-end', tags: { user: '1' }, status: 'aborted', attempts: 1, usd: 0 },
      { type: 'cost', tags: { user: '1' } },
      { type: 'attempt-end', tags: { user: '1' }, outcome: 'ok' },
      { type: 'call-end', tags: { user: '2' }, status: 'ok', attempts: 0, usd: 0 },
    ]);
  });

  it.each<[string, (pause: () => Promise<void>) => Plugin]>([
    ['accept', (pause) => ({ name: 'p', accept: () => pause().then(() => true) })],
    ['onToolCall', (pause) => ({ name: 'p', onToolCall: () => pause().then(() => 'allow') })],
    [
      'onParts',
      (pause) => ({ name: 'p', onParts: () => ({ parts: (b) => pause().then(() => b) }) }),
    ],
  ])(
    'do not end a shared request when the call that started it is aborted during %s',
    async (_, pluginOf) => {
      const pausing = pluginOf(() => runtime.sleep(50));
      const { router, a, runtime } = setUp([pausing], {
        a: { toolCalls: [{ name: 'f' }], firstTokenDelayMs: 100 },
        tier: { singleFlight: true },
        time: 'manual',
      });
      const leaving = new AbortController();
      const ask = (signal?: AbortSignal) =>
        router.complete('t', 'hi', { tools: [{ name: 'f', inputSchema: {} }], signal });
      const first = failureOf(ask(leaving.signal));
      const other = ask();
      await runtime.advance(125);
      leaving.abort();
      expect((await first).code).toBe('aborted');
      await runtime.advance(1_000);
      expect(await other).toMatchObject({ shared: true, toolCalls: [{ name: 'f' }] });
      expect(a.calls).toMatchObject([{ outcome: 'ok' }]);
      expect(router.snapshot().callsInFlight).toBe(0);
      expect(runtime.pending).toBe(0);
    },
  );

  it('do not hold a shared request that all have left', async () => {
    const hangs: Plugin = { name: 'hangs', accept: () => new Promise(() => undefined) };
    const { router, a, runtime } = setUp([hangs], { tier: { singleFlight: true }, time: 'manual' });
    const leaving = new AbortController();
    const { signal } = leaving;
    const calls = [1, 2].map(() => failureOf(router.complete('t', 'hi', { signal })));
    await runtime.advance(1_000);
    leaving.abort();
    expect((await Promise.all(calls)).map(({ code }) => code)).toEqual(['aborted', 'aborted']);
    await runtime.advance(0);
    expect(a.calls).toHaveLength(1);
    expect(router.snapshot().callsInFlight).toBe(0);
    expect(runtime.pending).toBe(0);
  });

  it('see the drill that a call is part of', async () => {
    const drills: (string | undefined)[] = [];
    const sees: Plugin = {
      name: 'sees',
      onRequest(request, call) {
        drills.push(call.drill);
        return request;
      },
    };
    const { router, a } = setUp([sees, hideName('Ada')], { b: 'I know [PERSON].' });
    const drill = router.drill({ tier: 't', fault: 'server_error', share: 1, forMs: 10 });
    const { text, target } = await router.complete('t', 'Who is Ada?');
    await drill.stop();
    expect({ text, target }).toEqual({ text: 'I know Ada.', target: 'b/m' });
    expect(a.calls).toHaveLength(0);
    expect(drills).toEqual([drill.id]);
  });

  it('survive reconfigure', async () => {
    const log: string[] = [];
    const { router } = setUp([tracing('p', log)]);
    router.reconfigure({ tiers: { t: ['b/m'], bare: ['b/m'] } });
    expect((await router.complete('t', 'hi')).text).toBe('spare');
    expect(log).toContain('p request');
  });
});

describe('the plugins of a configuration', () => {
  const problems = (plugins: unknown): string => {
    try {
      setUp(plugins as readonly Plugin[]);
    } catch (error) {
      return String(error);
    }
    return 'none';
  };

  it.each<[string, unknown, string]>([
    ['no list', {}, 'plugins: must be a list'],
    ['no object', ['pii'], 'plugins[0]: must be a plugin'],
    ['no name', [{}], 'plugins[0].name: must be a string that is not blank'],
    ['a name twice', [{ name: 'x' }, { name: 'x' }], 'plugins[1].name: "x" is taken'],
    [
      'a hook that is no function',
      [{ name: 'x', accept: true }],
      'plugins[0].accept: must be a function',
    ],
    [
      'a listener for an unknown event',
      [{ name: 'x', on: { failovers: () => 1 } }],
      'plugins[0].on.failovers: is no event; did you mean "failover"?',
    ],
    [
      'a listener that is no function',
      [{ name: 'x', on: { retry: true } }],
      'plugins[0].on.retry: must be a function',
    ],
    [
      'listeners that are no object',
      [{ name: 'x', on: [] }],
      'plugins[0].on: must be an object of listeners by event',
    ],
    ['a misspelt hook', [{ name: 'x', onRequests: () => 1 }], 'did you mean "onRequest"?'],
    [
      'exceptTiers that is no list',
      [{ name: 'x', exceptTiers: 't' }],
      'plugins[0].exceptTiers: must be a list',
    ],
    [
      'failOpen that is no boolean',
      [{ name: 'x', failOpen: 1 }],
      'plugins[0].failOpen: must be true or false',
    ],
    [
      'exceptTiers with an unknown tier',
      [{ name: 'x', exceptTiers: ['t', 'bear'] }],
      'plugins[0].exceptTiers[1]: there is no tier "bear"; did you mean "bare"?',
    ],
  ])('are rejected with %s', (_, plugins, message) => {
    expect(problems(plugins)).toContain(message);
  });
});

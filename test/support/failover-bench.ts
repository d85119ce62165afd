import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { anthropic } from '../../src/anthropic.ts';
import { isSignalboxError, SignalboxError } from '../../src/errors.ts';
import { openaiChat } from '../../src/openai.ts';
import type { Attempt } from '../../src/protocol/attempt.ts';
import type { CallOptions } from '../../src/protocol/call-options.ts';
import type { Completion } from '../../src/protocol/completion.ts';
import type { TierSettings } from '../../src/protocol/config.ts';
import type { Router } from '../../src/protocol/router.ts';
import type { Runtime } from '../../src/protocol/runtime.ts';
import { createRouter } from '../../src/router.ts';
import { systemRuntime } from '../../src/runtime.ts';
import { apiKeys, createHandler, toNodeListener } from '../../src/server.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';
import {
  type Fault,
  type SimulatedProvider,
  type SimulatedRequest,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';
import { clientKey, sha256 } from './served.ts';
import { SocketTime } from './socket-time.ts';

/** How a call is made. Every scenario runs both ways. */
export type Mode = 'complete' | 'stream';

/** Who makes the call: the program of the router, or OpenAI's SDK over HTTP to the handler. */
export type Caller = 'router' | 'handler';

/** The checks that a scenario failed; none is a pass. */
type Problems = readonly string[];

/** What a scenario works with. All times are the published ones. */
type Bench = {
  readonly mode: Mode;
  readonly caller: Caller;
  readonly primary: SimulatedProvider;
  readonly fallback: SimulatedProvider;
  /** When each attempt at the primary started. */
  readonly primaryAttempts: readonly number[];
  readonly now: () => number;
  readonly call: (tier?: 't' | 'alone') => Promise<Outcome>;
  readonly sleep: (ms: number) => Promise<void>;
};

type Outcome = {
  readonly tookMs: number;
  /** The text that the reader has at the end. */
  readonly text: string;
  readonly completion: Completion | undefined;
  readonly code: string | undefined;
  readonly trail: readonly Attempt[];
  /** Codes of all failures, in order. */
  readonly codes: readonly string[];
};

export type Scenario = {
  readonly id: string;
  readonly name: string;
  readonly run: (bench: Bench) => Promise<Problems>;
  /** Whether no more than an error, and no false end, is possible: what a client of a stream has cannot be taken back. */
  readonly isOnlySafe?: (mode: Mode, caller: Caller) => boolean;
};

const tokens = Array.from({ length: 60 }, (_, index) => `tok${index + 1} `);
const whole = tokens.join('').trim();
/** Events before the tokens: the one that opens the answer. */
const preamble = 1;

/** What the fallback's model answers: the rest, when the request prefills the beginning. */
function continueAnswer({ body }: SimulatedRequest) {
  const last = Array.isArray(body.messages) ? body.messages.at(-1) : undefined;
  const begun = last?.role === 'assistant' ? JSON.stringify(last.content).match(/tok\d+/g) : null;
  const rest = tokens.slice(begun?.length ?? 0);
  return {
    text: rest.join('').trimEnd(),
    chunks: [...rest.slice(0, -1), whole.split(' ').at(-1) ?? ''],
  };
}

const isPrefill = ({ body }: Pick<SimulatedRequest, 'body'>): boolean =>
  Array.isArray(body.messages) && body.messages.at(-1)?.role === 'assistant';

function failedChecks(checks: Readonly<Record<string, boolean>>): Problems {
  return Object.entries(checks).flatMap(([what, holds]) => (holds ? [] : [what]));
}

const isWhole = ({ text, completion }: Outcome): boolean =>
  text.trim() === whole && completion?.text.trim() === whole;
const answeredBy = ({ completion }: Outcome, provider: string): boolean =>
  completion?.provider === provider;

/** Expects the whole answer from the fallback after one fault of the primary, with at most `maxRequests` to it. */
function fallsBack(fault: Fault, maxRequests: number, withinMs: number) {
  return async ({ primary, call }: Bench): Promise<Problems> => {
    primary.fault(fault);
    const outcome = await call();
    return failedChecks({
      'the whole answer': isWhole(outcome),
      'by the fallback': answeredBy(outcome, 'fallback'),
      [`at most ${maxRequests} requests to the primary`]: primary.log.length <= maxRequests,
      [`within ${withinMs} ms`]: outcome.tookMs <= withinMs,
    });
  };
}

/** The sixteen scenarios of Failover Bench, each with everything that a full pass requires. */
export const scenarios: readonly Scenario[] = [
  {
    id: 'S01',
    name: '429 with Retry-After: 2',
    async run({ primary, primaryAttempts, call }) {
      primary.fault({ type: 'status', status: 429, retryAfterSeconds: 2 }, { times: 1 });
      const alone = await call('alone');
      const [first = 0, second = 0] = primaryAttempts;
      return failedChecks({
        'the whole answer': isWhole(alone),
        'waits at least 1.8 s': second - first >= 1_800,
        'waits less than 4 s': second - first < 4_000,
      });
    },
  },
  {
    id: 'S02',
    name: '429 without end',
    async run({ primary, primaryAttempts, call }) {
      primary.fault({ type: 'status', status: 429 });
      const outcome = await call();
      const [startedAt = 0] = primaryAttempts;
      return failedChecks({
        'the whole answer': isWhole(outcome),
        'by the fallback': answeredBy(outcome, 'fallback'),
        'at most 4 requests in 3 s':
          primaryAttempts.filter((at) => at - startedAt < 3_000).length <= 4,
        'at most 6 requests': primary.log.length <= 6,
      });
    },
  },
  {
    id: 'S03',
    name: 'one 500',
    async run({ primary, fallback, call }) {
      primary.fault({ type: 'status', status: 500 }, { times: 1 });
      const outcome = await call();
      return failedChecks({
        'the whole answer': isWhole(outcome),
        'by the primary, after one retry':
          answeredBy(outcome, 'primary') && primary.log.length === 2,
        'no request to the fallback': fallback.log.length === 0,
      });
    },
  },
  {
    id: 'S04',
    name: '503 without end',
    run: fallsBack({ type: 'status', status: 503 }, 3, 10_000),
  },
  { id: 'S05', name: 'reset before headers', run: fallsBack({ type: 'reset' }, 3, 10_000) },
  // A silent target is given up at its first timeout, without a retry.
  { id: 'S06', name: 'no response at all', run: fallsBack({ type: 'silence' }, 1, 12_000) },
  {
    id: 'S07',
    name: 'first token after 20 s',
    run: fallsBack({ type: 'slow-first-token', ms: 20_000 }, 1, 15_000),
  },
  {
    id: 'S08',
    name: 'stream cut after 40 of 60 tokens',
    async run(bench) {
      const cut: Fault = { type: 'cut', afterEvents: preamble + 40 };
      const problems = await fallsBack(cut, 1, 15_000)(bench);
      // `complete` has shown nothing that could be continued.
      const isContinued = bench.fallback.log.some(isPrefill);
      return [
        ...problems,
        ...failedChecks({ 'continued from the cut': isContinued === (bench.mode === 'stream') }),
      ];
    },
  },
  {
    id: 'S09',
    name: 'stream stalls for 30 s',
    run: fallsBack({ type: 'stall', afterEvents: preamble + 40 }, 1, 25_000),
  },
  {
    id: 'S10',
    name: 'the 10th event is not JSON',
    async run({ primary, fallback, call }) {
      primary.fault({ type: 'malformed', atEvent: 9 });
      const outcome = await call();
      const lost = tokens.filter((token) => !outcome.text.includes(token.trim()));
      return failedChecks({
        'an answer by the primary': answeredBy(outcome, 'primary'),
        'all tokens except the malformed event': lost.length === 1,
        'a warning about it':
          outcome.completion?.warnings.some(({ code }) => code === 'malformed-event') === true,
        'a single request': primary.log.length === 1 && fallback.log.length === 0,
      });
    },
  },
  {
    id: 'S11',
    name: 'no [DONE]',
    async run({ primary, call }) {
      primary.fault({ type: 'no-done' });
      const outcome = await call();
      return failedChecks({
        'the whole answer by the primary': isWhole(outcome) && answeredBy(outcome, 'primary'),
        'with the usage that was reported': outcome.completion?.usage.estimated !== true,
        'within 8 s': outcome.tookMs < 8_000,
      });
    },
  },
  {
    id: 'S12',
    name: 'context_length_exceeded',
    async run({ primary, call }) {
      primary.fault({ type: 'status', kind: 'context_length' });
      const outcome = await call();
      return failedChecks({
        'the whole answer by the larger model': isWhole(outcome) && answeredBy(outcome, 'fallback'),
        'never sent again at the same size': primary.log.length === 1,
      });
    },
  },
  {
    id: 'S13',
    name: 'content policy',
    async run({ primary, fallback, call }) {
      primary.fault({ type: 'status', kind: 'content_filter' });
      const outcome = await call();
      return failedChecks({
        'reported as content_filter': outcome.code === 'content_filter',
        'no retry and no fallback': primary.log.length === 1 && fallback.log.length === 0,
      });
    },
  },
  {
    id: 'S14',
    name: 'the fallback rejects a prefill',
    isOnlySafe: (mode, caller) => mode === 'stream' && caller === 'handler',
    async run({ mode, caller, primary, fallback, call }) {
      primary.fault({ type: 'cut', afterEvents: preamble + 40 });
      fallback.fault({ type: 'status', kind: 'invalid_request' }, { when: isPrefill });
      const outcome = await call();
      if (mode === 'stream' && caller === 'handler') {
        return failedChecks({ 'an error at the end': outcome.code === 'stream_interrupted' });
      }
      return failedChecks({
        'the whole answer by the fallback': isWhole(outcome) && answeredBy(outcome, 'fallback'),
        'the first failure reported first': outcome.codes[0] === 'stream_interrupted',
      });
    },
  },
  {
    id: 'S15',
    name: 'outage of 60 s, a call every 4 s',
    async run({ primary, primaryAttempts, call, sleep: wait, now }) {
      const outcomes: Outcome[] = [];
      const calls: Promise<unknown>[] = [];
      let downAt = 0;
      for (let each = 0; each < 27; each += 1) {
        if (each === 3) {
          primary.down();
          downAt = now();
        }
        if (each === 18) primary.up();
        calls.push(call().then((outcome) => outcomes.push(outcome)));
        await wait(4_000);
      }
      await Promise.all(calls);
      const last = outcomes.slice(-2);
      const inOutage = primaryAttempts.filter((at) => at >= downAt && at < downAt + 60_000);
      return failedChecks({
        'no call lost': outcomes.every(isWhole),
        'answered by the primary again after 30 s': last.every((each) =>
          answeredBy(each, 'primary'),
        ),
        'at most 20 attempts at the primary while it is down': inOutage.length <= 20,
      });
    },
  },
  {
    id: 'S16',
    name: 'which model answered, and its cost',
    async run({ primary, fallback, call }) {
      primary.fault({ type: 'status', status: 503 });
      const outcome = await call();
      const { completion } = outcome;
      return failedChecks({
        'the whole answer': isWhole(outcome),
        "the fallback's model": completion?.model.served === fallbackModel,
        "the fallback's usage": completion?.usage.inputTokens === 11 && fallback.log.length === 1,
        'nothing billed for failed attempts': completion?.cost.usd === completion?.cost.attemptsUsd,
        'the failures in the trail': outcome.trail.some(({ outcome: how }) => how === 'error'),
      });
    },
  },
];

const primaryModel = 'small-1';
/** Of a family that accepts a prefill. */
const fallbackModel = 'claude-haiku-4-5';

/** The published settings: two retries, ten seconds to the first token and of silence, one fallback. */
const settings: TierSettings = {
  midStream: 'continue',
  timeouts: { firstTokenMs: 10_000, idleMs: 10_000, totalMs: 120_000 },
  retry: { minMs: 250, maxMs: 8_000 },
  circuit: { openMs: 5_000, maxOpenMs: 30_000 },
};

/** The clock of a scenario. */
type Clock = {
  readonly runtime: Runtime;
  readonly follow: SocketTime['follow'];
  readonly settle: SocketTime['settle'];
  readonly sleep: (ms: number) => Promise<void>;
};

const realClock: Clock = {
  runtime: systemRuntime,
  follow: (router) => router,
  settle: (call) => call,
  sleep: (ms) => sleep(ms),
};

function virtualClock(vendors: readonly SimulatedProvider[]): Clock {
  const runtime = fakeRuntime();
  const time = new SocketTime(runtime, vendors);
  const pending = new Set<Promise<unknown>>();
  return {
    runtime,
    follow: (router) => time.follow(router),
    async settle(call) {
      const settled = time.settle(call);
      pending.add(settled);
      try {
        return await settled;
      } finally {
        pending.delete(settled);
      }
    },
    async sleep(ms) {
      const until = runtime.now() + ms;
      await Promise.all(pending);
      await runtime.advance(Math.max(0, until - runtime.now()));
    },
  };
}

type Answered = { readonly completion: Completion; readonly text: string };

/** Makes the calls of a scenario. Rejects with the router's error. */
type Client = Readonly<Record<Mode, (tier: string) => Promise<Answered>>> & {
  readonly close: () => Promise<void>;
};

const prompt = 'Count to sixty.';

function clientOf(router: Pick<Router, 'complete' | 'stream'>): Client {
  return {
    async complete(tier) {
      const completion = await router.complete(tier, prompt);
      return { completion, text: completion.text };
    },
    async stream(tier) {
      const answer = router.stream(tier, prompt);
      const completion = await answer.completion;
      let text = '';
      for await (const part of answer) {
        if (part.type === 'restart') text = '';
        if (part.type === 'text-delta') text += part.delta;
      }
      return { completion, text };
    },
    close: async () => undefined,
  };
}

/**
 * OpenAI's SDK in front of the handler. The text and the failure are what this client gets. The completion, with its
 * target, cost, warnings and trail, is what the router returned to the handler: no client of this API can see it.
 */
async function serveOverHttp(router: Router): Promise<Client> {
  const completions = new Map<string, Promise<Completion>>();
  const observed = new Proxy(router, {
    get(target, name) {
      const method = Reflect.get(target, name);
      if (name !== 'complete' && name !== 'stream') return method;
      return (...args: readonly [string, unknown, CallOptions | undefined]) => {
        const made: Promise<Completion> | { readonly completion: Promise<Completion> } =
          Reflect.apply(method, target, args);
        const completion = 'completion' in made ? made.completion : made;
        completion.catch(() => undefined);
        completions.set(args[2]?.tags?.call ?? '', completion);
        return made;
      };
    },
  });
  const handler = createHandler(observed, {
    authenticate: apiKeys([{ sha256: sha256(clientKey), subject: 'bench' }]),
    allowTags: ['call'],
  });
  const server = createServer(toNodeListener(handler)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const baseURL = `http://127.0.0.1:${port}/v1`;
  const { chat } = new OpenAI({ apiKey: clientKey, baseURL, maxRetries: 0 });
  const messages = [{ role: 'user', content: prompt } as const];
  let count = 0;

  async function call(tier: string, textOf: (body: Body) => Promise<string>): Promise<Answered> {
    const id = String(++count);
    try {
      const text = await textOf({ model: tier, messages, metadata: { call: id } });
      const completion = await completions.get(id);
      if (completion === undefined) throw new Error(`call ${id} did not reach the router`);
      return { completion, text };
    } catch (error) {
      // The scenario expects the router's error, with its trail, if the client knows it by the same code.
      if (!(error instanceof OpenAI.APIError)) throw error;
      if (error.status === undefined) throw new SignalboxError('stream_interrupted', error.message);
      const failure: unknown = await completions.get(id)?.then(
        () => error,
        (cause: unknown) => cause,
      );
      if (isSignalboxError(failure) && failure.code === error.code) throw failure;
      throw new Error(`the client got ${error.status} ${error.code}, the router's: ${failure}`);
    }
  }

  return {
    complete: (tier) =>
      call(tier, async (body) => {
        const { choices } = await chat.completions.create(body);
        return choices[0]?.message.content ?? '';
      }),
    stream: (tier) =>
      call(tier, async (body) => {
        let text = '';
        for await (const { choices } of await chat.completions.create({ ...body, stream: true })) {
          text += choices[0]?.delta.content ?? '';
        }
        return text;
      }),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

type Body = OpenAI.ChatCompletionCreateParamsNonStreaming;

/**
 * Runs one scenario over real sockets at the published timings. In `virtual` time it takes no longer than the requests
 * themselves, and does not depend on how fast the machine is; in `real` time it takes up to two minutes.
 */
export async function runScenario(
  { run }: Scenario,
  mode: Mode,
  time: 'virtual' | 'real',
  caller: Caller = 'router',
): Promise<{ readonly problems: Problems; readonly tookMs: number }> {
  const usage = { inputTokens: 11, outputTokens: 60 };
  const first = await simulateProviders();
  const second = await simulateProviders();
  const primary = first.compatible;
  const fallback = second.anthropic;
  const clock = time === 'real' ? realClock : virtualClock([primary, fallback]);
  const { now } = clock.runtime;
  primary.answer({
    text: whole,
    chunks: continueAnswer({ body: {} } as SimulatedRequest).chunks,
    usage,
  });
  fallback.answer((request) => ({ ...continueAnswer(request), usage }));
  const price = { input: 1, output: 2 };
  const small = { target: `primary/${primaryModel}` as const, contextWindow: 8_000, prices: price };
  const large = {
    target: `fallback/${fallbackModel}` as const,
    contextWindow: 200_000,
    prices: price,
  };
  const router = createRouter({
    runtime: clock.runtime,
    providers: {
      primary: openaiChat({ apiKey: 'test', baseURL: primary.baseURL }),
      fallback: anthropic({ apiKey: 'test', baseURL: fallback.baseURL }),
    },
    tiers: {
      t: { ...settings, targets: [small, large] },
      alone: { ...settings, targets: [small] },
    },
  });
  clock.follow(router);
  const primaryAttempts: number[] = [];
  router.on('attempt-start', ({ target, at }) => {
    if (target === small.target) primaryAttempts.push(at);
  });

  const client = caller === 'handler' ? await serveOverHttp(router) : clientOf(router);

  async function call(tier: 't' | 'alone' = 't'): Promise<Outcome> {
    const startedAt = now();
    const codesOf = (trail: readonly Attempt[]) => trail.flatMap(({ error }) => error?.code ?? []);
    try {
      const { completion, text } = await clock.settle(client[mode](tier));
      const { trail } = completion;
      const tookMs = now() - startedAt;
      return { tookMs, text, completion, code: undefined, trail, codes: codesOf(trail) };
    } catch (error) {
      if (!isSignalboxError(error)) throw error;
      const { code, trail } = error;
      const tookMs = now() - startedAt;
      return { tookMs, text: '', completion: undefined, code, trail, codes: codesOf(trail) };
    }
  }

  const startedAt = now();
  try {
    const { sleep: wait } = clock;
    const bench = { mode, caller, primary, fallback, primaryAttempts, now, call, sleep: wait };
    const problems = await run(bench);
    return { problems, tookMs: now() - startedAt };
  } finally {
    await client.close();
    await router.close();
    await Promise.all([first.close(), second.close()]);
  }
}

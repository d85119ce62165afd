import { setTimeout as sleep } from 'node:timers/promises';
import { anthropic } from '../../src/anthropic.ts';
import { isSignalboxError } from '../../src/errors.ts';
import { openaiChat } from '../../src/openai.ts';
import type { Attempt } from '../../src/protocol/attempt.ts';
import type { Completion } from '../../src/protocol/completion.ts';
import type { TierSettings } from '../../src/protocol/config.ts';
import { createRouter } from '../../src/router.ts';
import {
  type Fault,
  type SimulatedProvider,
  type SimulatedRequest,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';

/** How a call is made. Each scenario runs both ways, unless it is about streams alone. */
export type Mode = 'complete' | 'stream';

/** What came of one scenario: nothing to say is a pass. */
type Problems = readonly string[];

/** What a scenario has to work with. Times are those published, shortened by the scale. */
type Bench = {
  readonly mode: Mode;
  readonly primary: SimulatedProvider;
  readonly fallback: SimulatedProvider;
  /** Milliseconds of the published timing, on this run's clock. */
  readonly ms: (published: number) => number;
  readonly call: (tier?: 't' | 'alone') => Promise<Outcome>;
  readonly sleep: (published: number) => Promise<unknown>;
};

type Outcome = {
  readonly tookMs: number;
  /** What the reader has seen at the end. */
  readonly text: string;
  readonly completion: Completion | undefined;
  readonly code: string | undefined;
  readonly trail: readonly Attempt[];
  /** Codes of all failures, the first one first. */
  readonly codes: readonly string[];
};

export type Scenario = {
  readonly id: string;
  readonly name: string;
  readonly run: (bench: Bench) => Promise<Problems>;
};

const tokens = Array.from({ length: 60 }, (_, index) => `tok${index + 1} `);
const whole = tokens.join('').trim();
/** Events before the tokens: the one that opens the answer. */
const preamble = 1;

/** What the model behind the fallback says: the rest, when it is given the beginning as its own turn. */
function goOn({ body }: SimulatedRequest) {
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

function expectAll(checks: Readonly<Record<string, boolean>>): Problems {
  return Object.entries(checks).flatMap(([what, holds]) => (holds ? [] : [what]));
}

const isWhole = ({ text, completion }: Outcome): boolean =>
  text.trim() === whole && completion?.text.trim() === whole;
const answeredBy = ({ completion }: Outcome, provider: string): boolean =>
  completion?.provider === provider;

/** The whole answer by the fallback after one fault of the primary, which is asked at most so often. */
function fallsBack(fault: Fault, mostRequests: number, withinMs: number) {
  return async ({ primary, call, ms }: Bench): Promise<Problems> => {
    primary.fault(fault);
    const outcome = await call();
    return expectAll({
      'the whole answer': isWhole(outcome),
      'by the fallback': answeredBy(outcome, 'fallback'),
      [`at most ${mostRequests} requests to the primary`]: primary.log.length <= mostRequests,
      [`within ${withinMs} ms`]: outcome.tookMs <= Math.max(ms(withinMs), 5_000),
    });
  };
}

/** The sixteen scenarios of Failover Bench, each with what its full pass asks for, advice included. */
export const scenarios: readonly Scenario[] = [
  {
    id: 'S01',
    name: '429 with Retry-After: 2',
    async run({ primary, call }) {
      // Whole seconds are the header's own unit: the wait is real, whatever the scale.
      primary.fault({ type: 'status', status: 429, retryAfterSeconds: 2 }, { times: 1 });
      const alone = await call('alone');
      const [first, second] = primary.log.map(({ at }) => at);
      const waitedMs = (second ?? 0) - (first ?? 0);
      return expectAll({
        'the whole answer': isWhole(alone),
        'waits at least 1.8 s': waitedMs >= 1_800,
        'and no longer than it must': waitedMs < 4_000,
      });
    },
  },
  {
    id: 'S02',
    name: '429 for ever',
    async run({ primary, call }) {
      primary.fault({ type: 'status', status: 429 });
      const outcome = await call();
      const startedAt = primary.log[0]?.at ?? 0;
      return expectAll({
        'the whole answer': isWhole(outcome),
        'by the fallback': answeredBy(outcome, 'fallback'),
        'at most 4 requests in 3 s':
          primary.log.filter(({ at }) => at - startedAt < 3_000).length <= 4,
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
      return expectAll({
        'the whole answer': isWhole(outcome),
        'by the primary, asked once more':
          answeredBy(outcome, 'primary') && primary.log.length === 2,
        'the fallback left alone': fallback.log.length === 0,
      });
    },
  },
  { id: 'S04', name: '503 for ever', run: fallsBack({ type: 'status', status: 503 }, 3, 10_000) },
  { id: 'S05', name: 'reset before headers', run: fallsBack({ type: 'reset' }, 3, 10_000) },
  // A silent route is left at its first timeout and not asked again.
  { id: 'S06', name: 'no response at all', run: fallsBack({ type: 'silence' }, 1, 12_000) },
  {
    id: 'S07',
    name: 'first token after 20 s',
    run: async (bench) =>
      fallsBack({ type: 'slow-first-token', ms: 2 * patienceMs(bench.ms) }, 1, 15_000)(bench),
  },
  {
    id: 'S08',
    name: 'stream cut after 40 of 60 tokens',
    async run(bench) {
      const cut: Fault = { type: 'cut', afterEvents: preamble + 40 };
      const problems = await fallsBack(cut, 1, 15_000)(bench);
      // `complete` has shown nothing to go on from.
      const isToGoOn = bench.fallback.log.some(isPrefill);
      return [
        ...problems,
        ...expectAll({ 'gone on from the cut': isToGoOn === (bench.mode === 'stream') }),
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
    name: 'the 10th event is no JSON',
    async run({ primary, fallback, call }) {
      primary.fault({ type: 'malformed', atEvent: 9 });
      const outcome = await call();
      const lost = tokens.filter((token) => !outcome.text.includes(token.trim()));
      return expectAll({
        'an answer by the primary': answeredBy(outcome, 'primary'),
        'all but the event that was lost': lost.length === 1,
        'and a warning about it':
          outcome.completion?.warnings.some(({ code }) => code === 'malformed-event') === true,
        'nobody asked twice': primary.log.length === 1 && fallback.log.length === 0,
      });
    },
  },
  {
    id: 'S11',
    name: 'no [DONE]',
    async run({ primary, call, ms }) {
      primary.fault({ type: 'no-done' });
      const outcome = await call();
      return expectAll({
        'the whole answer by the primary': isWhole(outcome) && answeredBy(outcome, 'primary'),
        'with the usage that was told': outcome.completion?.usage.estimated !== true,
        'within 8 s': outcome.tookMs < Math.max(ms(8_000), 5_000),
      });
    },
  },
  {
    id: 'S12',
    name: 'context_length_exceeded',
    async run({ primary, call }) {
      primary.fault({ type: 'status', kind: 'context_length' });
      const outcome = await call();
      return expectAll({
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
      return expectAll({
        'told as what it is': outcome.code === 'content_filter',
        'neither tried again nor routed around':
          primary.log.length === 1 && fallback.log.length === 0,
      });
    },
  },
  {
    id: 'S14',
    name: 'the fallback rejects a prefill',
    async run({ primary, fallback, call }) {
      primary.fault({ type: 'cut', afterEvents: preamble + 40 });
      fallback.fault({ type: 'status', kind: 'invalid_request' }, { when: isPrefill });
      const outcome = await call();
      return expectAll({
        'the whole answer by the fallback': isWhole(outcome) && answeredBy(outcome, 'fallback'),
        'the first failure told first': outcome.codes[0] === 'stream_interrupted',
      });
    },
  },
  {
    id: 'S15',
    name: 'outage of 60 s, a call every 4 s',
    async run({ primary, call, sleep: wait, ms }) {
      const outcomes: Outcome[] = [];
      const calls: Promise<unknown>[] = [];
      let downAt = 0;
      for (let each = 0; each < 27; each += 1) {
        if (each === 3) {
          primary.down();
          downAt = Date.now();
        }
        if (each === 18) primary.up();
        calls.push(call().then((outcome) => outcomes.push(outcome)));
        await wait(4_000);
      }
      await Promise.all(calls);
      const last = outcomes.slice(-2);
      const inOutage = primary.log.filter(({ at }) => at >= downAt && at < downAt + ms(60_000));
      return expectAll({
        'no call lost': outcomes.every(isWhole),
        'served by the primary again after 30 s': last.every((each) => answeredBy(each, 'primary')),
        'the primary left alone while it is down': inOutage.length <= 20,
      });
    },
  },
  {
    id: 'S16',
    name: 'who answered, and what it cost',
    async run({ primary, fallback, call }) {
      primary.fault({ type: 'status', status: 503 });
      const outcome = await call();
      const { completion } = outcome;
      return expectAll({
        'the whole answer': isWhole(outcome),
        "the fallback's model": completion?.model.served === fallbackModel,
        "the fallback's usage": completion?.usage.inputTokens === 11 && fallback.log.length === 1,
        'nothing billed for what failed': completion?.cost.usd === completion?.cost.attemptsUsd,
        'the failures in the trail': outcome.trail.some(({ outcome: how }) => how === 'error'),
      });
    },
  },
];

const primaryModel = 'small-1';
/** Of a family that takes a turn which has begun. */
const fallbackModel = 'claude-haiku-4-5';

/** Ten seconds; a busy machine must not look like a silent vendor, however short the scale. */
const patienceMs = (ms: (published: number) => number): number => Math.max(ms(10_000), 1_000);

/** The published settings: two retries, ten seconds to the first token and of silence, one fallback. */
function settings(ms: (published: number) => number): TierSettings {
  return {
    midStream: 'continue',
    timeouts: {
      firstTokenMs: patienceMs(ms),
      idleMs: patienceMs(ms),
      totalMs: Math.max(ms(120_000), 20_000),
    },
    retry: { minMs: Math.max(1, ms(250)), maxMs: Math.max(1, ms(8_000)) },
    circuit: { openMs: ms(5_000), maxOpenMs: ms(30_000) },
  };
}

/** Runs one scenario over real sockets, in time shortened by `scale` (1 is the published timing). */
export async function runScenario(
  { run }: Scenario,
  mode: Mode,
  scale: number,
): Promise<{ readonly problems: Problems; readonly tookMs: number }> {
  const ms = (published: number): number => Math.round(published * scale);
  const usage = { inputTokens: 11, outputTokens: 60 };
  const first = await simulateProviders();
  const second = await simulateProviders();
  const primary = first.compatible;
  const fallback = second.anthropic;
  primary.answer({ text: whole, chunks: goOn({ body: {} } as SimulatedRequest).chunks, usage });
  fallback.answer((request) => ({ ...goOn(request), usage }));
  const price = { input: 1, output: 2 };
  const small = { target: `primary/${primaryModel}` as const, contextWindow: 8_000, prices: price };
  const large = {
    target: `fallback/${fallbackModel}` as const,
    contextWindow: 200_000,
    prices: price,
  };
  const router = createRouter({
    providers: {
      primary: openaiChat({ apiKey: 'test', baseURL: primary.baseURL }),
      fallback: anthropic({ apiKey: 'test', baseURL: fallback.baseURL }),
    },
    tiers: {
      t: { ...settings(ms), targets: [small, large] },
      alone: { ...settings(ms), targets: [small] },
    },
  });

  async function call(tier: 't' | 'alone' = 't'): Promise<Outcome> {
    const startedAt = performance.now();
    const took = () => performance.now() - startedAt;
    let text = '';
    try {
      const stream = router.stream(tier, 'Count to sixty.');
      const completion = await (mode === 'complete'
        ? router.complete(tier, 'Count to sixty.')
        : stream.completion);
      if (mode === 'complete') text = completion.text;
      for await (const part of mode === 'stream' ? stream : []) {
        if (part.type === 'restart') text = '';
        if (part.type === 'text-delta') text += part.delta;
      }
      const codes = completion.trail.flatMap(({ error }) => error?.code ?? []);
      return { tookMs: took(), text, completion, code: undefined, trail: completion.trail, codes };
    } catch (error) {
      if (!isSignalboxError(error)) throw error;
      const codes = error.trail.flatMap((line) => line.error?.code ?? []);
      return {
        tookMs: took(),
        text,
        completion: undefined,
        code: error.code,
        trail: error.trail,
        codes,
      };
    }
  }

  const startedAt = performance.now();
  try {
    const problems = await run({
      mode,
      primary,
      fallback,
      ms,
      call,
      sleep: (published) => sleep(ms(published)),
    });
    return { problems, tookMs: performance.now() - startedAt };
  } finally {
    await router.close();
    await Promise.all([first.close(), second.close()]);
  }
}

/** A simulated day of mixed traffic on virtual time, for the strategies and for each model alone. */
import {
  createRouter,
  type Provider,
  type ProviderPart,
  type ProviderRequest,
  SignalboxError,
  type Strategy,
  type StrategyObject,
} from '../src/index.ts';
import { type FakeRuntime, fakeRuntime } from '../src/testing.ts';

const hourMs = 3_600_000;

type UsdPerMillion = { readonly input: number; readonly output: number };

/** Invented models, with prices and speeds in the range of today's. */
type Model = {
  readonly price: UsdPerMillion;
  /** From noon on. */
  readonly noonPrice?: UsdPerMillion;
  readonly firstTokenMs: number;
  readonly tokensPerSecond: number;
  readonly failureRate: number;
  /** Hours in which every request fails. */
  readonly outage?: readonly [number, number];
  /** Hours in which answers take several times as long. */
  readonly slow?: { readonly hours: readonly [number, number]; readonly times: number };
};

export const models = {
  'small/a': {
    price: { input: 0.2, output: 1.6 },
    noonPrice: { input: 0.6, output: 3 },
    firstTokenMs: 500,
    tokensPerSecond: 90,
    failureRate: 0.01,
    outage: [9, 10],
  },
  'small/b': {
    price: { input: 0.5, output: 0.9 },
    firstTokenMs: 700,
    tokensPerSecond: 70,
    failureRate: 0.01,
  },
  'middle/c': {
    price: { input: 1, output: 4 },
    firstTokenMs: 350,
    tokensPerSecond: 140,
    failureRate: 0.005,
    slow: { hours: [15, 17], times: 8 },
  },
  'large/d': {
    price: { input: 3, output: 12 },
    firstTokenMs: 900,
    tokensPerSecond: 60,
    failureRate: 0.005,
  },
} as const satisfies Record<string, Model>;

type TargetName = keyof typeof models;

/** Requests by tag: medians of log-normal lengths, in tokens, as published traces of chats and batch jobs have them. */
const kinds = {
  chat: { share: 0.5, input: 900, output: 220 },
  summarize: { share: 0.2, input: 6_000, output: 180 },
  extract: { share: 0.2, input: 1_500, output: 60 },
  write: { share: 0.1, input: 300, output: 1_100 },
} as const;

type Kind = keyof typeof kinds;

const spread = { input: 0.8, output: 0.5 } as const;

/** A log-normal number with this median (Box and Muller). */
function logNormal(median: number, sigma: number, random: () => number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.max(1, Math.round(median * Math.exp(sigma * normal)));
}

/** The mean of a log-normal distribution is above its median. */
function meanOutput(kind: Kind): number {
  return kinds[kind].output * Math.exp(spread.output ** 2 / 2);
}

type Request = {
  readonly at: number;
  readonly kind: Kind;
  readonly input: number;
  readonly output: number;
};

function isWithin(hours: readonly [number, number] | undefined, hour: number): boolean {
  return hours !== undefined && hour >= hours[0] && hour < hours[1];
}

function priceOf(model: Model, hour: number): UsdPerMillion {
  return hour >= 12 ? (model.noonPrice ?? model.price) : model.price;
}

/** The day's requests: more of them in working hours. */
export function requestsOf(count: number, seed: number): readonly Request[] {
  const random = fakeRuntime({ seed }).random;
  const requests = Array.from({ length: count }, (): Request => {
    const isBusy = random() < 0.8;
    const at = isBusy ? 7 + 12 * random() : 24 * random();
    let draw = random();
    let kind: Kind = 'chat';
    for (const [name, { share }] of Object.entries(kinds)) {
      kind = name as Kind;
      draw -= share;
      if (draw < 0) break;
    }
    return {
      at: at * hourMs,
      kind,
      input: logNormal(kinds[kind].input, spread.input, random),
      output: logNormal(kinds[kind].output, spread.output, random),
    };
  });
  return requests.sort((a, b) => a.at - b.at);
}

function usd(price: UsdPerMillion, input: number, output: number): number {
  return (price.input * input + price.output * output) / 1e6;
}

/** What the day costs if every request goes to the target that is expected to be cheapest, among those that work. */
export function oracleUsd(requests: readonly Request[]): number {
  return requests.reduce((sum, { at, kind, input, output }) => {
    const hour = at / hourMs;
    const open = Object.values<Model>(models).filter(({ outage }) => !isWithin(outage, hour));
    const best = open
      .map((model) => priceOf(model, hour))
      .toSorted((a, b) => usd(a, input, meanOutput(kind)) - usd(b, input, meanOutput(kind)))[0];
    return sum + (best === undefined ? 0 : usd(best, input, output));
  }, 0);
}

/** A vendor whose answers have the length that the request asks for. */
function vendorOf(name: string, runtime: FakeRuntime, startedAt: number): Provider {
  async function* send(
    request: ProviderRequest,
    signal: AbortSignal,
  ): AsyncGenerator<readonly ProviderPart[]> {
    const model: Model = models[`${name}/${request.model}` as TargetName];
    const hour = (runtime.now() - startedAt) / hourMs;
    const { input = '1', output = '1' } = JSON.parse(request.userId ?? '{}');
    const times = isWithin(model.slow?.hours, hour) ? (model.slow?.times ?? 1) : 1;
    const noise = 0.7 + 0.6 * runtime.random();
    await runtime.sleep(model.firstTokenMs * times * noise, signal);
    if (isWithin(model.outage, hour) || runtime.random() < model.failureRate) {
      throw new SignalboxError('server_error', 'the vendor failed', { status: 500 });
    }
    const totalMs = (1_000 * Number(output) * times * noise) / model.tokensPerSecond;
    const chunks = Math.ceil(totalMs / 2_000);
    const delta = 'word '.repeat(Math.ceil(Number(output) / chunks));
    for (let chunk = 0; chunk < chunks; chunk++) {
      yield [{ type: 'text-delta', delta }];
      await runtime.sleep(totalMs / chunks, signal);
    }
    yield [{ type: 'part-end', part: { type: 'text', text: delta.repeat(chunks) } }];
    const usage = { inputTokens: Number(input), outputTokens: Number(output) };
    const totalTokens = usage.inputTokens + usage.outputTokens;
    yield [{ type: 'finish', finishReason: 'stop', usage: { ...usage, totalTokens } }];
  }
  return {
    wire: 'openai-chat',
    capabilities: () => new Set(),
    preload: async () => undefined,
    prepare: (request) => ({
      warnings: [],
      send: ({ signal, watch }) => {
        watch.connected();
        return send(request, signal);
      },
    }),
  };
}

export type Day = {
  readonly name: string;
  readonly usd: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly failed: number;
  readonly shares: Readonly<Record<string, number>>;
};

function percentile(sorted: readonly number[], quantile: number): number {
  return sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)] ?? Number.NaN;
}

/** What routers do today: the lowest list price first, whatever the request is. */
const listPrice: Strategy = {
  needs: ['prices'],
  order(candidates, { knowledge }) {
    const priced = candidates.map((candidate) => {
      const { input = Number.POSITIVE_INFINITY, output = 0 } = knowledge(candidate).price ?? {};
      return { candidate, price: input + output };
    });
    return priced.sort((a, b) => a.price - b.price).map(({ candidate }) => candidate);
  },
};

/** The price list of the day: as the vendors publish it, before noon or after. */
function pricesAt(hour: number): Record<string, UsdPerMillion> {
  return Object.fromEntries(
    Object.entries<Model>(models).map(([name, model]) => [name, priceOf(model, hour)]),
  );
}

/** Runs the day with a strategy, or with one target only. Times are of whole answers, in milliseconds. */
export async function runDay(
  name: string,
  requests: readonly Request[],
  setting: { readonly strategy: StrategyObject | 'list-price' } | { readonly only: TargetName },
): Promise<Day> {
  const runtime = fakeRuntime({ time: 'auto', seed: 11 });
  const startedAt = runtime.now();
  const targets = 'only' in setting ? [setting.only] : (Object.keys(models) as TargetName[]);
  const tiers = { t: { targets, ...('strategy' in setting && { strategy: setting.strategy }) } };
  const vendors = ['small', 'middle', 'large'] as const;
  const providers = Object.fromEntries(
    vendors.map((vendor) => [vendor, vendorOf(vendor, runtime, startedAt)]),
  ) as Record<(typeof vendors)[number], Provider>;
  const strategies = { 'list-price': listPrice };
  const router = createRouter({ runtime, providers, strategies, tiers, prices: pricesAt(0) });
  let billed = 0;
  const counts = new Map<string, number>();
  router.on('cost', ({ usd }) => {
    billed += usd ?? 0;
  });
  const times: number[] = [];
  let failed = 0;
  let isNoon = false;
  const calls: Promise<void>[] = [];
  for (const { at, kind, input, output } of requests) {
    await runtime.sleep(Math.max(0, startedAt + at - runtime.now()));
    if (!isNoon && at >= 12 * hourMs) {
      isNoon = true;
      router.reconfigure({ tiers, prices: pricesAt(12) });
    }
    const began = runtime.now();
    const prompt = 'word '.repeat(input);
    const userId = JSON.stringify({ input, output });
    calls.push(
      router.complete('t', prompt, { tags: { kind }, userId }).then(
        ({ target }) => {
          times.push(runtime.now() - began);
          counts.set(target, (counts.get(target) ?? 0) + 1);
        },
        () => {
          // No answer is slower than any.
          times.push(Number.POSITIVE_INFINITY);
          failed += 1;
        },
      ),
    );
  }
  await Promise.all(calls);
  await router.close();
  times.sort((a, b) => a - b);
  return {
    name,
    usd: billed,
    p50: percentile(times, 0.5),
    p95: percentile(times, 0.95),
    p99: percentile(times, 0.99),
    failed,
    shares: Object.fromEntries(
      Object.keys(models).map((id) => [id, (counts.get(id) ?? 0) / requests.length]),
    ),
  };
}

import { defaults } from '../../config/defaults.ts';
import { own } from '../../internal/own.ts';
import type { ForecastCall } from '../../pricing/forecast.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import type { Usage } from '../../protocol/usage.ts';
import type { AttemptPlan } from './attempt-plan.ts';
import type { Call, Engine } from './engine.ts';
import type { Task } from './task.ts';
import { inputTokensOf, tokensOf } from './token-estimate.ts';

/** No vendor caches a shorter prefix (OpenAI, Anthropic and Google document 1,024 or more). */
const shortestCached = 1_024;

/** Most characters of the prompt that are hashed. A longer common beginning is not needed to tell conversations apart. */
const maxHashed = 20_000;

/** How long vendors keep a prefix, unless the call asks for longer. */
const usualCacheMs = 300_000;

const msByTtl: Readonly<Record<string, number>> = {
  '5m': 300_000,
  '30m': 1_800_000,
  '1h': 3_600_000,
  '12h': 43_200_000,
};

/** Tokens of an answer before the first one is known. An image has about as many at OpenAI and Google. */
const defaultOutput = {
  chat: defaults.outputTokens,
  embed: 0,
  image: 1_290,
} as const satisfies Record<Call['kind'], number>;

function firstText(messages: readonly NormalMessage[]): string {
  for (const { content } of messages) {
    for (const part of content) if (part.type === 'text') return part.text.slice(0, maxHashed);
  }
  return '';
}

/** By request, then by system prompt: targets can have different ones. */
const countedFixed = new WeakMap<Task['request'], Map<string, number>>();

/** Tokens of the system prompt and the tools, estimated once. */
function fixedTokens({ request }: Task, system = ''): number {
  const tools = request.kind === 'chat' ? (request.tools ?? []) : [];
  if (system === '' && tools.length === 0) return 0;
  const counted = countedFixed.get(request) ?? new Map<string, number>();
  countedFixed.set(request, counted);
  let tokens = counted.get(system);
  if (tokens === undefined) {
    const texts = tools.map(({ name, description = '', inputSchema }) =>
      [name, description, JSON.stringify(inputSchema)].join(' '),
    );
    tokens = Math.ceil(tokensOf([system, ...texts]));
    counted.set(system, tokens);
  }
  return tokens;
}

/** Tokens of a request, its system prompt and its tools, estimated. */
export function requestTokens(task: Task, system: string | undefined): number {
  return inputTokensOf(task.messages) + fixedTokens(task, system);
}

/** How the call is recognised: by its tier, its tags, and what its conversation begins with. */
export function forecastCallOf(call: Call): ForecastCall {
  const { tier, tags, task, options } = call;
  const system = options.system ?? '';
  const isLong = inputTokensOf(task.messages) + tokensOf([system]) >= shortestCached;
  const prefix = isLong
    ? process
        .getBuiltinModule('node:crypto')
        .hash('sha1', `${system.slice(0, maxHashed)}\0${firstText(task.messages)}`)
    : undefined;
  return { tier: tier.name, tags, prefix };
}

/** Tokens that the answer of such a call usually has, whatever the target; `otherwise` before the first one. */
function outputTokensOf(
  engine: Engine,
  { call, options, outputLimit = Number.POSITIVE_INFINITY }: AttemptPlan,
  like: ForecastCall,
  otherwise: number | undefined,
): number {
  const usual =
    engine.registry.forecast.outputTokens(like) ?? otherwise ?? defaultOutput[call.kind];
  return Math.min(options.maxOutputTokens ?? outputLimit, Math.ceil(usual));
}

/** Milliseconds that the whole answer is expected to take there; `undefined` before the target's first answer. */
export function expectedMs(
  engine: Engine,
  plan: AttemptPlan,
  like: ForecastCall,
): number | undefined {
  const outputTokens = outputTokensOf(engine, plan, like, undefined);
  return plan.state.recent.totalMs(outputTokens, engine.runtime.now());
}

/** Where the vendor caches prompts: those of one customer's key are not read with another. */
function cacheOf({ target, key }: AttemptPlan): string {
  return typeof key === 'string' ? `${target.id} ${key}` : target.id;
}

/** US dollars that the call is expected to cost there; `undefined` when the price is unknown. */
export function expectedUsd(
  engine: Engine,
  plan: AttemptPlan,
  like: ForecastCall,
): number | undefined {
  const { call, options, target, priced, state } = plan;
  const inputTokens = inputTokensOf(call.task.messages) + fixedTokens(call.task, options.system);
  const outputTokens = outputTokensOf(engine, plan, like, state.usualOutputTokens);
  const share = engine.registry.forecast.cachedShare(like, cacheOf(plan), engine.runtime.now());
  const usage: Usage = {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    ...(share > 0 && { cachedInputTokens: Math.floor(share * inputTokens) }),
  };
  const body = own(options.providerOptions ?? {}, target.provider) ?? {};
  const serviceTier = body.service_tier ?? body.serviceTier;
  const tier = typeof serviceTier === 'string' ? { serviceTier } : {};
  return engine.pricing.price(priced, { usage, ...tier }).usd ?? undefined;
}

/** Remembers what the call needed, for later calls. */
export function rememberUsage(engine: Engine, plan: AttemptPlan, usage: Usage) {
  const { call, options } = plan;
  const { cache } = options;
  const ttl = typeof cache === 'object' ? cache.ttl : undefined;
  engine.registry.forecast.answered(forecastCallOf(call), {
    target: cacheOf(plan),
    usage,
    now: engine.runtime.now(),
    cacheMs: own(msByTtl, ttl ?? '') ?? usualCacheMs,
  });
}

import { defaults } from '../../config/defaults.ts';
import { own } from '../../internal/own.ts';
import type { ForecastCall } from '../../pricing/forecast.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import type { Usage } from '../../protocol/usage.ts';
import type { AttemptPlan } from './attempt-plan.ts';
import { charactersPerToken, estimateUsage } from './collected.ts';
import type { Call, Engine } from './engine.ts';
import type { Task } from './task.ts';

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

/** Tokens of the system prompt and the tools, estimated. */
function fixedTokens({ request }: Task, system: string | undefined): number {
  const tools = request.kind === 'chat' ? (request.tools ?? []) : [];
  const length = tools.reduce(
    (sum, { name, description = '', inputSchema }) =>
      sum + name.length + description.length + JSON.stringify(inputSchema).length,
    system?.length ?? 0,
  );
  return Math.ceil(length / charactersPerToken);
}

/** Tokens of a request, its system prompt and its tools, estimated. */
export function requestTokens(task: Task, system: string | undefined): number {
  return estimateUsage(task.messages, []).inputTokens + fixedTokens(task, system);
}

/** How the call is recognised: by its tier, its tags, and what its conversation begins with. */
export function forecastCallOf(call: Call): ForecastCall {
  const { tier, tags, task, options } = call;
  const system = options.system ?? '';
  const isLong = call.inputTokens + system.length / charactersPerToken >= shortestCached;
  const prefix = isLong
    ? process
        .getBuiltinModule('node:crypto')
        .hash('sha1', `${system.slice(0, maxHashed)}\0${firstText(task.messages)}`)
    : undefined;
  return { tier: tier.name, tags, prefix };
}

/** US dollars that the call is expected to cost there; `undefined` when the price is unknown. */
export function expectedUsd(
  engine: Engine,
  plan: AttemptPlan,
  forecastCall: ForecastCall,
): number | undefined {
  const { call, options, target, priced, state } = plan;
  const forecast = engine.registry.forecast;
  const inputTokens = call.inputTokens + fixedTokens(call.task, options.system);
  const usual =
    forecast.outputTokens(forecastCall) ?? state.usualOutputTokens ?? defaultOutput[call.kind];
  const most = options.maxOutputTokens ?? Number.POSITIVE_INFINITY;
  const outputTokens = Math.min(most, Math.ceil(usual));
  const share = forecast.cachedShare(forecastCall, target.id, engine.runtime.now());
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
export function rememberUsage(
  engine: Engine,
  { call, options, target }: AttemptPlan,
  usage: Usage,
) {
  const { cache } = options;
  const ttl = typeof cache === 'object' ? cache.ttl : undefined;
  engine.registry.forecast.answered(forecastCallOf(call), {
    target: target.id,
    usage,
    now: engine.runtime.now(),
    cacheMs: own(msByTtl, ttl ?? '') ?? usualCacheMs,
  });
}

import { checkCallOptions, findTier } from '../config/check.ts';
import type { ResolvedConfig } from '../config/resolve.ts';
import type { CallOptions } from '../protocol/call-options.ts';
import type { Message } from '../protocol/message.ts';
import type { Call, Engine } from './engine.ts';
import { outputCheck } from './output-check.ts';
import { normalizeMessages, normalizeTools } from './request.ts';

/** An option that is `undefined` is one that was not given; it must not hide a tier's default. */
function withoutUndefined(options: CallOptions): CallOptions {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as CallOptions;
}

/**
 * Takes a call in at the door: everything the user gave is checked and normalised here, once.
 * @throws SignalboxError `config` for an unknown tier, bad messages or bad options.
 */
export function openCall(
  engine: Engine,
  config: ResolvedConfig,
  asked: {
    readonly tier: string;
    readonly messages: string | readonly Message[];
    readonly options: CallOptions | undefined;
    readonly mode: Call['mode'];
  },
): Call {
  const tier = findTier(config, asked.tier);
  const options = withoutUndefined(asked.options ?? {});
  checkCallOptions(options, [...engine.providers.keys()]);
  return {
    id: engine.runtime.createId('call'),
    config,
    tier,
    messages: normalizeMessages(asked.messages),
    options,
    tools: normalizeTools(options.tools),
    output: outputCheck(options, tier.fallbackOn),
    tags: { ...config.tags, ...tier.tags, ...options.tags },
    mode: asked.mode,
  };
}

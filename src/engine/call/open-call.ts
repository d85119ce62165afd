import { checkCallOptions, findTier } from '../../config/check.ts';
import type { ResolvedConfig, ResolvedTier } from '../../config/resolve.ts';
import type { CallOptions } from '../../protocol/call-options.ts';
import { estimateUsage } from '../core/collected.ts';
import type { Call, Engine } from '../core/engine.ts';
import type { Task } from '../core/task.ts';

/** An option that is `undefined` is one that was not given; it must not hide a tier's default. */
function withoutUndefined<Options extends object>(options: Options): Options {
  if (!Object.values(options).includes(undefined)) return { ...options };
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Options;
}

/** What was asked for, as the user gave it. */
type Asked<Options> = {
  readonly tier: string;
  readonly options: Options | undefined;
  readonly kind: 'chat' | 'embed' | 'image';
  readonly mode: Call['mode'];
  /** Makes the task, once the options are known to be good. */
  readonly task: (tier: ResolvedTier, options: Options) => Task;
};

function checkedOptions<Options extends CallOptions>(
  engine: Engine,
  { options, kind }: Asked<Options>,
): Options {
  if (options === undefined) return {} as Options;
  checkCallOptions(options, engine.providers, kind);
  return withoutUndefined(options);
}

/**
 * Takes a call in at the door: everything the user gave is checked and normalised here, once.
 * @throws SignalboxError `config` for an unknown tier, bad messages or bad options.
 */
export function openCall<Options extends CallOptions>(
  engine: Engine,
  config: ResolvedConfig,
  asked: Asked<Options>,
): Call {
  const tier = findTier(config, asked.tier);
  const options = checkedOptions(engine, asked);
  const task = asked.task(tier, options);
  return {
    id: engine.runtime.createId('call'),
    config,
    tier,
    options,
    task,
    inputTokens: estimateUsage(task.messages, []).inputTokens,
    tags: { ...config.tags, ...tier.tags, ...options.tags },
    mode: asked.mode,
  };
}

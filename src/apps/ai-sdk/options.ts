import { SignalboxError } from '../../errors.ts';
import { closest } from '../../internal/closest.ts';
import { layered } from '../../internal/own.ts';
import { quoted } from '../../internal/quoted.ts';
import type { CallOptions } from '../../protocol/call-options.ts';
import type { EmbedOptions, ImageOptions } from '../../protocol/other-tasks.ts';
import type { ModelWarning, ProviderOptions } from './specification.ts';

/** The options that the AI SDK has no word for. Those that it has are set there. */
const optionNames = {
  language: [
    'tags',
    'timeouts',
    'retry',
    'route',
    'requires',
    'maxUsd',
    'providerOptions',
    'userId',
    'onUnsupported',
    'priority',
    'parallelToolCalls',
    'reasoning',
    'cache',
    'transfer',
    'repairAttempts',
    'singleFlight',
    'cacheResponse',
  ],
  embedding: [
    'tags',
    'timeouts',
    'retry',
    'route',
    'requires',
    'maxUsd',
    'providerOptions',
    'userId',
    'onUnsupported',
    'priority',
    'cacheResponse',
    'concurrency',
  ],
  image: [
    'tags',
    'timeouts',
    'retry',
    'route',
    'requires',
    'maxUsd',
    'providerOptions',
    'userId',
    'onUnsupported',
    'priority',
  ],
} as const satisfies {
  readonly language: readonly (keyof CallOptions)[];
  readonly embedding: readonly (keyof EmbedOptions)[];
  readonly image: readonly (keyof ImageOptions)[];
};

type Names = typeof optionNames;

/**
 * Options of `tierModel`, for all of its calls, and of one call as `providerOptions.signalbox`. `tags`, `timeouts`, `retry`
 * and `reasoning` of a call are merged over those of the model, the others replace them.
 */
export type TierModelOptions<Provider extends string = string> = Pick<
  CallOptions<Provider>,
  Names['language'][number]
>;
/** Options of `tierEmbeddingModel`, and of one call as `providerOptions.signalbox`. */
export type TierEmbeddingModelOptions<Provider extends string = string> = Pick<
  EmbedOptions<Provider>,
  Names['embedding'][number]
>;
/** Options of `tierImageModel`, and of one call as `providerOptions.signalbox`. */
export type TierImageModelOptions<Provider extends string = string> = Pick<
  ImageOptions<Provider>,
  Names['image'][number]
>;

/** Whose fields are merged. */
const merged = ['tags', 'timeouts', 'retry', 'reasoning'] as const;

/** @throws SignalboxError `config` for an option that a model of this kind does not have. The router checks the values. */
export function checkNames(kind: keyof Names, options: unknown, where: string): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new SignalboxError('config', `${where}: must be an object with options of signalbox`);
  }
  const names: readonly string[] = optionNames[kind];
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    const near = closest(name, names);
    const hint = near === undefined ? `there are ${names.join(', ')}` : `did you mean "${near}"?`;
    throw new SignalboxError('config', `${where}: ${quoted(name)} is not an option; ${hint}`);
  }
}

/**
 * The options of the model with those of one call.
 * @throws SignalboxError `config` for an unknown option
 */
export function mergedOptions<Options extends object>(
  kind: keyof Names,
  defaults: Options,
  providerOptions: ProviderOptions | undefined,
): Partial<Options> {
  const own = providerOptions?.signalbox;
  if (own === undefined) return defaults;
  checkNames(kind, own, 'providerOptions.signalbox');
  const result: Record<string, unknown> = { ...layered<object>(defaults, own) };
  for (const name of merged) {
    const base: unknown = Reflect.get(defaults, name);
    const value: unknown = own[name];
    if (isRecord(base) && isRecord(value)) result[name] = layered(base, value);
  }
  return result as Partial<Options>;
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The router sends its own headers: those of a call would reach any vendor. The AI SDK always adds its name. */
export function headerWarnings(
  headers: Readonly<Record<string, string | undefined>> | undefined,
): readonly ModelWarning[] {
  const isSet = Object.entries(headers ?? {}).some(
    ([name, value]) => value !== undefined && name.toLowerCase() !== 'user-agent',
  );
  if (!isSet) return [];
  const details = 'Headers of a call are not sent to vendors. Set them in the provider.';
  return [{ type: 'unsupported', feature: 'headers', details }];
}

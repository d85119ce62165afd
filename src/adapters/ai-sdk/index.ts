import { SignalboxError } from '../../errors.ts';
import type { AttemptContext, Capability, Provider } from '../../protocol/provider.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { interruptedError } from '../../transport/network-error.ts';
import { objectOf } from '../common/read.ts';
import { checkSettings } from '../common/settings.ts';
import { aiSdkError } from './errors.ts';
import type { AiSdkModel } from './model.ts';
import { toCall, wire } from './request.ts';
import { createAnswerReader, type Issuer } from './response.ts';

export type { AiSdkModel } from './model.ts';

export type AiSdkSettings = {
  /** The vendor's name in price lists. Without one, `prices` of the configuration must name its models. */
  readonly priceList?: string;
  /** What the model's provider calls its own options. @default what stands before the dot of its name */
  readonly optionsName?: string;
};

/** What an unknown model is taken to do: what it cannot, its provider says. */
const capabilities: readonly Capability[] = [
  'vision',
  'audio',
  'files',
  'tools',
  'structured-output',
];

async function* readStream(
  stream: ReadableStream<unknown>,
  context: AttemptContext,
): AsyncGenerator<unknown, void> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      context.watch.bytes();
      if (done) return;
      yield value;
    }
  } finally {
    // Of a stream that has ended there is nothing to cancel, which is no failure.
    await reader.cancel().catch(() => undefined);
  }
}

async function* answer(
  model: AiSdkModel,
  call: object,
  context: AttemptContext,
  issuer: Issuer,
): AsyncGenerator<ProviderPart, void> {
  const options = { ...call, abortSignal: context.signal } as never;
  const told: ProviderPart[] = [];
  const tell = (part: ProviderPart): void => void told.push(part);
  if (context.wire === 'unary') {
    const result = await model.doGenerate(options);
    const { headers, body } = objectOf(objectOf(result).response);
    const reader = createAnswerReader(issuer, headers, tell);
    reader.readWhole(result);
    reader.finish(context.keepRaw ? { raw: body } : {});
    for (const part of told) yield part;
    return;
  }
  const result = await model.doStream(options);
  const { headers } = objectOf(objectOf(result).response);
  const reader = createAnswerReader(issuer, headers, tell);
  const raw: unknown[] = [];
  for await (const part of readStream(result.stream, context)) {
    if (context.keepRaw) raw.push(part);
    reader.read(part);
    for (const each of told.splice(0)) yield each;
    if (reader.isEnded()) break;
  }
  if (!reader.isEnded()) throw interruptedError('it ended without a finish');
  reader.finish(context.keepRaw ? { raw } : {});
  for (const part of told) yield part;
}

function checkModel(model: AiSdkModel): AiSdkModel {
  if (model.specificationVersion === 'v4') return model;
  throw new SignalboxError(
    'config',
    `fromAiSdk(): the model is of specification ${model.specificationVersion}, and v4 (AI SDK 7) is needed; update its provider package`,
  );
}

/**
 * Makes any language model of the Vercel AI SDK a target: whatever has an AI SDK provider is one here. Give a
 * model, and the name behind the slash of the target does not matter; or a function from names to models,
 * which the provider packages export (`fromAiSdk(groq)`).
 *
 * The model's own retries do not exist at this level, so signalbox's counts are the truth. The connect clock
 * does not run, since the model's provider makes the request.
 *
 * @throws SignalboxError `config` for settings that are unknown, and for a model that is not of
 * specification v4.
 */
export function fromAiSdk(
  model: AiSdkModel | ((modelId: string) => AiSdkModel),
  settings: AiSdkSettings = {},
): Provider {
  checkSettings('fromAiSdk', settings, { priceList: 'string', optionsName: 'string' });
  const isFixed = typeof model !== 'function';
  if (isFixed) checkModel(model);
  const { priceList } = settings;
  return {
    wire,
    ...(priceList !== undefined && { priceList }),
    capabilities: () => new Set(capabilities),
    preload: async () => undefined,
    prepare(request) {
      const chosen = isFixed ? model : checkModel(model(request.model));
      const optionsName = settings.optionsName ?? chosen.provider.split('.')[0] ?? chosen.provider;
      const { call, warnings } = toCall(request, optionsName);
      const issuer = { provider: request.provider, model: request.model };
      return {
        warnings,
        async *send(context) {
          context.watch.connected();
          let begun = false;
          try {
            context.signal.throwIfAborted();
            for await (const part of answer(chosen, call, context, issuer)) {
              begun = true;
              yield part;
            }
          } catch (error) {
            context.signal.throwIfAborted();
            throw aiSdkError(error, () => begun);
          }
        },
      };
    },
  };
}

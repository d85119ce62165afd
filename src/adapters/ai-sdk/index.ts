import type { AttemptContext, Capability, Provider } from '../../protocol/provider.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { type AnswerHeaders, headersOfObject, reportLimits } from '../../transport/answer.ts';
import { RawEvents } from '../../transport/answer-bound.ts';
import { interruptedError } from '../../transport/network-error.ts';
import { objectOf } from '../../wires/common/read.ts';
import type { AnswerOrigin } from '../../wires/common/read-answer.ts';
import {
  checkSettings,
  type ProviderSettings,
  providerFieldsOf,
  providerShape,
} from '../common/settings.ts';
import { aiSdkEmbeddings } from './embeddings.ts';
import { aiSdkError } from './errors.ts';
import { checkMediaUrls } from './media-urls.ts';
import {
  type AiSdkEmbeddingModel,
  type AiSdkModel,
  checkModel,
  optionsNameOf,
  type Specification,
  specificationOf,
} from './model.ts';
import { toCall, wire } from './request.ts';
import { createAnswerReader } from './response.ts';

export type { AiSdkEmbeddingModel, AiSdkModel } from './model.ts';

export type AiSdkSettings = ProviderSettings & {
  /** The vendor's name in price lists. Without it, set the prices of its models in the configuration's `prices`. */
  readonly priceList?: string | undefined;
  /** The key of the model's provider in `providerOptions`. @default the part of its name before the dot */
  readonly optionsName?: string | undefined;
  /** An embedding model, or a function from names to models as provider packages export it. @default none */
  readonly embedding?: AiSdkEmbeddingModel | ((modelId: string) => AiSdkEmbeddingModel) | undefined;
};

const shape = {
  priceList: 'string',
  optionsName: 'string',
  ...providerShape,
  embedding: {
    accepts: (value: unknown) =>
      typeof value === 'function' || typeof objectOf(value).doEmbed === 'function',
    wants: 'an embedding model of the AI SDK, or a function that returns one',
  },
} as const;

/** The capabilities assumed for any model. Its provider rejects what it does not support. */
const capabilities: readonly Capability[] = [
  'vision',
  'audio',
  'files',
  'tools',
  'structured-output',
];

/** The response headers of the vendor, if the model passes them on. */
function headersOf(result: unknown): AnswerHeaders {
  return headersOfObject(objectOf(objectOf(result).response).headers);
}

/** @throws SignalboxError `config` when the value is not a language model of a known specification. */
function languageSpecificationOf(model: AiSdkModel): Specification {
  checkModel(model, ['doGenerate', 'doStream']);
  return specificationOf(model);
}

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
    // Cancelling a stream that has ended may reject, which is harmless.
    await reader.cancel().catch(() => undefined);
  }
}

async function* answer(
  model: AiSdkModel,
  call: object,
  context: AttemptContext,
  origin: AnswerOrigin,
): AsyncGenerator<readonly ProviderPart[], void> {
  const options = { ...call, abortSignal: context.signal } as never;
  let batch: ProviderPart[] = [];
  const addPart = (part: ProviderPart): void => void batch.push(part);
  if (context.transfer === 'unary') {
    const result = await model.doGenerate(options);
    const headers = headersOf(result);
    reportLimits(headers, context.watch);
    const reader = createAnswerReader(origin, headers, context.watch, addPart);
    reader.readWhole(result);
    reader.finish(context.keepRaw ? objectOf(objectOf(result).response).body : undefined);
    yield batch;
    return;
  }
  const result = await model.doStream(options);
  const headers = headersOf(result);
  reportLimits(headers, context.watch);
  const reader = createAnswerReader(origin, headers, context.watch, addPart);
  const raw = new RawEvents(context.maxAnswerBytes);
  for await (const part of readStream(result.stream, context)) {
    if (context.keepRaw) raw.add(part);
    reader.read(part);
    if (reader.isEnded()) break;
    if (batch.length > 0) yield batch;
    batch = [];
  }
  if (!reader.isEnded()) throw interruptedError('it ended without a finish');
  reader.finish(context.keepRaw ? raw.events : undefined);
  yield batch;
}

/**
 * Makes any language model of the Vercel AI SDK a target. Pass a model, and the model name in the target is ignored. Or
 * pass a function from names to models, as the provider packages export it (`fromAiSdk(groq)`).
 *
 * The AI SDK does not retry at this level; signalbox does. The connect timeout does not apply, because the model's
 * provider makes the request.
 *
 * @throws SignalboxError `config` when a setting is unknown, or when the model's specification is not v2, v3 or v4
 * (AI SDK 5 to 7).
 */
export function fromAiSdk(
  model: AiSdkModel | ((modelId: string) => AiSdkModel),
  settings: AiSdkSettings = {},
): Provider {
  checkSettings('fromAiSdk', settings, shape);
  const isFixed = typeof model !== 'function';
  if (isFixed) languageSpecificationOf(model);
  const { priceList, embedding, optionsName } = settings;
  return {
    wire,
    ...providerFieldsOf(settings),
    ...(priceList !== undefined && { priceList }),
    capabilities: () => new Set(capabilities),
    preload: async () => undefined,
    ...(embedding !== undefined &&
      aiSdkEmbeddings(typeof embedding === 'function' ? embedding : () => embedding, optionsName)),
    prepare(request) {
      const chosen = isFixed ? model : model(request.model);
      const specification = languageSpecificationOf(chosen);
      const name = optionsNameOf(chosen, optionsName);
      const checking = checkMediaUrls(chosen, request.messages);
      // Awaited by `send`. A prepared request that is not sent must not leave a rejection behind.
      checking?.catch(() => undefined);
      const { call, warnings } = toCall(request, name, specification);
      const origin = { provider: request.provider, model: request.model };
      return {
        warnings,
        async *send(context) {
          context.watch.connected();
          let started = false;
          try {
            context.signal.throwIfAborted();
            // The model's provider may ask a function for the key of each request.
            context.watch.mayUse?.();
            await checking;
            for await (const batch of answer(chosen, call, context, origin)) {
              started = true;
              yield batch;
            }
          } catch (error) {
            context.signal.throwIfAborted();
            throw aiSdkError(error, () => started);
          }
        },
      };
    },
  };
}

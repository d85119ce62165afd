import type { AttemptContext, Capability, Provider } from '../../protocol/provider.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { reportLimits } from '../../transport/body/rate-limit-headers.ts';
import { type AnswerHeaders, headersOfObject } from '../../transport/body/response.ts';
import { interruptedError } from '../../transport/network-error.ts';
import { RawEvents } from '../../wires/common/raw-events.ts';
import { objectOf } from '../../wires/common/read.ts';
import {
  type AnswerSettings,
  answerBoundOf,
  answerShape,
  checkSettings,
} from '../common/settings.ts';
import { aiSdkEmbeddings } from './embeddings.ts';
import { aiSdkError } from './errors.ts';
import {
  type AiSdkEmbeddingModel,
  type AiSdkModel,
  checkModel,
  optionsNameOf,
  type Specification,
  specificationOf,
} from './model.ts';
import { toCall, wire } from './request.ts';
import { createAnswerReader, type Issuer } from './response.ts';

export type { AiSdkEmbeddingModel, AiSdkModel } from './model.ts';

export type AiSdkSettings = AnswerSettings & {
  /** The vendor's name in price lists. Without one, `prices` of the configuration must name its models. */
  readonly priceList?: string;
  /** What the model's provider calls its own options. @default what stands before the dot of its name */
  readonly optionsName?: string;
  /** Its embedding models: one, or a function from names to models, which the packages have. @default none */
  readonly embedding?: AiSdkEmbeddingModel | ((modelId: string) => AiSdkEmbeddingModel);
};

const shape = {
  priceList: 'string',
  optionsName: 'string',
  ...answerShape,
  embedding: {
    accepts: (value: unknown) =>
      typeof value === 'function' || typeof objectOf(value).doEmbed === 'function',
    wants: 'an embedding model of the AI SDK, or a function that gives one',
  },
} as const;

/** What an unknown model is taken to do: what it cannot, its provider says. */
const capabilities: readonly Capability[] = [
  'vision',
  'audio',
  'files',
  'tools',
  'structured-output',
];

/** The headers of the vendor's answer, as far as the model passes them on. */
function headersOf(result: unknown): AnswerHeaders {
  return headersOfObject(objectOf(objectOf(result).response).headers);
}

/** @throws SignalboxError `config` for what is no language model of a known specification. */
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
    // Of a stream that has ended there is nothing to cancel, which is no failure.
    await reader.cancel().catch(() => undefined);
  }
}

async function* answer(
  model: AiSdkModel,
  call: object,
  context: AttemptContext,
  issuer: Issuer,
): AsyncGenerator<readonly ProviderPart[], void> {
  const options = { ...call, abortSignal: context.signal } as never;
  let batch: ProviderPart[] = [];
  const tell = (part: ProviderPart): void => void batch.push(part);
  if (context.transfer === 'unary') {
    const result = await model.doGenerate(options);
    const headers = headersOf(result);
    reportLimits(headers, context.watch);
    const reader = createAnswerReader(issuer, headers, tell);
    reader.readWhole(result);
    reader.finish(context.keepRaw ? objectOf(objectOf(result).response).body : undefined);
    yield batch;
    return;
  }
  const result = await model.doStream(options);
  const headers = headersOf(result);
  reportLimits(headers, context.watch);
  const reader = createAnswerReader(issuer, headers, tell);
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
 * Makes any language model of the Vercel AI SDK a target: whatever has an AI SDK provider is one here. Give a
 * model, and the name behind the slash of the target does not matter; or a function from names to models,
 * which the provider packages export (`fromAiSdk(groq)`).
 *
 * The model's own retries do not exist at this level, so signalbox's counts are the truth. The connect clock
 * does not run, since the model's provider makes the request.
 *
 * @throws SignalboxError `config` for settings that are unknown, and for a model of a specification that is neither v2,
 * v3 nor v4 (AI SDK 5 to 7).
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
    ...answerBoundOf(settings),
    ...(priceList !== undefined && { priceList }),
    capabilities: () => new Set(capabilities),
    preload: async () => undefined,
    ...(embedding !== undefined &&
      aiSdkEmbeddings(typeof embedding === 'function' ? embedding : () => embedding, optionsName)),
    prepare(request) {
      const chosen = isFixed ? model : model(request.model);
      const specification = languageSpecificationOf(chosen);
      const name = optionsNameOf(chosen, optionsName);
      const { call, warnings } = toCall(request, name, specification);
      const issuer = { provider: request.provider, model: request.model };
      return {
        warnings,
        async *send(context) {
          context.watch.connected();
          let begun = false;
          try {
            context.signal.throwIfAborted();
            for await (const batch of answer(chosen, call, context, issuer)) {
              begun = true;
              yield batch;
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

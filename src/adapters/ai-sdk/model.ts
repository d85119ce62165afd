/**
 * What signalbox uses of a language model of the Vercel AI SDK (specification v4, of AI SDK 7). Any provider
 * package's model fits; nothing of the AI SDK is imported.
 */
export interface AiSdkModel {
  readonly specificationVersion: string;
  /** Such as `groq.chat`; what stands before the dot is the name of its provider options. */
  readonly provider: string;
  readonly modelId: string;
  doGenerate(options: never): PromiseLike<unknown>;
  doStream(options: never): PromiseLike<{ readonly stream: ReadableStream<unknown> }>;
}

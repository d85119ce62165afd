/**
 * The part of the AI SDK's specification v4 (AI SDK 7) that models of tiers read and write. Written here, so that the
 * types of this package need none of the AI SDK's: what a model returns is assignable to them, and they to what it takes.
 */

type JsonValue = string | number | boolean | null | JsonValue[] | JsonRecord;
export type JsonRecord = { [key: string]: JsonValue | undefined };

/** Of an answer, by provider. The key of tiers is `signalbox`. */
export type Metadata = Record<string, JsonRecord>;

/** The same of a call and its parts. */
export type ProviderOptions = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

type Documented = { readonly providerOptions?: ProviderOptions | undefined };

type FileData =
  | { readonly type: 'data'; readonly data: Uint8Array | string }
  | { readonly type: 'url'; readonly url: URL }
  | { readonly type: 'reference'; readonly reference: Readonly<Record<string, string>> }
  | { readonly type: 'text'; readonly text: string };

export type PromptFile = Documented & {
  readonly type: 'file';
  readonly data: FileData;
  readonly mediaType: string;
  readonly filename?: string | undefined;
};
type PromptText = Documented & { readonly type: 'text'; readonly text: string };
type PromptCustom = Documented & { readonly type: 'custom' };

type PromptToolOutput = Documented &
  (
    | { readonly type: 'text' | 'error-text'; readonly value: string }
    | { readonly type: 'json' | 'error-json'; readonly value: unknown }
    | { readonly type: 'execution-denied'; readonly reason?: string | undefined }
    | {
        readonly type: 'content';
        readonly value: readonly (PromptText | PromptFile | PromptCustom)[];
      }
  );

export type PromptToolResult = Documented & {
  readonly type: 'tool-result';
  readonly toolCallId: string;
  readonly toolName: string;
  readonly output: PromptToolOutput;
};

export type PromptPart =
  | PromptText
  | PromptFile
  | PromptCustom
  | PromptToolResult
  | (Documented & { readonly type: 'reasoning'; readonly text: string })
  | (Documented & { readonly type: 'reasoning-file' })
  | (Documented & {
      readonly type: 'tool-call';
      readonly toolCallId: string;
      readonly toolName: string;
      readonly input: unknown;
    })
  | (Documented & { readonly type: 'tool-approval-response' });

export type PromptMessage = Documented &
  (
    | { readonly role: 'system'; readonly content: string }
    | { readonly role: 'user' | 'assistant' | 'tool'; readonly content: readonly PromptPart[] }
  );

export type FunctionTool = {
  readonly type: 'function';
  readonly name: string;
  readonly description?: string | undefined;
  readonly inputSchema: object;
  readonly inputExamples?: readonly unknown[] | undefined;
  readonly strict?: boolean | undefined;
  readonly providerOptions?: ProviderOptions | undefined;
};

export type LanguageModelCall = {
  readonly prompt: readonly PromptMessage[];
  readonly maxOutputTokens?: number | undefined;
  readonly temperature?: number | undefined;
  readonly stopSequences?: readonly string[] | undefined;
  readonly topP?: number | undefined;
  readonly topK?: number | undefined;
  readonly presencePenalty?: number | undefined;
  readonly frequencyPenalty?: number | undefined;
  readonly responseFormat?:
    | { readonly type: 'text' }
    | {
        readonly type: 'json';
        readonly schema?: object | undefined;
        readonly name?: string | undefined;
        readonly description?: string | undefined;
      }
    | undefined;
  readonly seed?: number | undefined;
  readonly tools?:
    | readonly (FunctionTool | { readonly type: 'provider'; readonly id: string })[]
    | undefined;
  readonly toolChoice?:
    | { readonly type: 'auto' | 'none' | 'required' }
    | { readonly type: 'tool'; readonly toolName: string }
    | undefined;
  readonly includeRawChunks?: boolean | undefined;
  readonly abortSignal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined;
  readonly reasoning?:
    | 'provider-default'
    | 'none'
    | 'minimal'
    | 'low'
    | 'medium'
    | 'high'
    | 'xhigh'
    | 'max'
    | undefined;
  readonly providerOptions?: ProviderOptions | undefined;
};

export type ModelWarning =
  | { type: 'unsupported' | 'compatibility'; feature: string; details: string }
  | { type: 'other'; message: string };

export type Source = { type: 'source'; id: string } & (
  | { sourceType: 'url'; url: string; title?: string }
  | { sourceType: 'document'; mediaType: string; title: string }
);

export type CitedSource = {
  source: Source;
  startIndex?: number;
  endIndex?: number;
  citedText?: string;
};

type ToolCall = {
  type: 'tool-call';
  toolCallId: string;
  toolName: string;
  /** JSON. */
  input: string;
  providerExecuted?: boolean;
  providerMetadata?: Metadata;
};
type ToolResult = {
  type: 'tool-result';
  toolCallId: string;
  toolName: string;
  result: string;
  isError: boolean;
};
type AnswerFile = {
  type: 'file';
  mediaType: string;
  data: { type: 'data'; data: Uint8Array | string } | { type: 'url'; url: URL };
};

export type Content =
  | { type: 'text'; text: string; citations?: CitedSource[]; providerMetadata?: Metadata }
  | { type: 'reasoning'; text: string; providerMetadata?: Metadata }
  | Source
  | ToolCall
  | ToolResult
  | AnswerFile;

export type ModelUsage = {
  inputTokens: {
    total: number | undefined;
    noCache: number | undefined;
    cacheRead: number | undefined;
    cacheWrite: number | undefined;
  };
  outputTokens: {
    total: number | undefined;
    text: number | undefined;
    reasoning: number | undefined;
  };
  raw?: JsonRecord;
};

export type ModelFinishReason = {
  unified: 'stop' | 'length' | 'content-filter' | 'tool-calls' | 'error' | 'interrupted' | 'other';
  raw: string | undefined;
};

type GenerateResult = {
  content: Content[];
  /** The JSON of a structured answer, without what the model wrote around it. */
  structuredOutputText?: string;
  finishReason: ModelFinishReason;
  usage: ModelUsage;
  providerMetadata: Metadata;
  response: { id: string; modelId: string };
  warnings: ModelWarning[];
};

export type Block = 'text' | 'reasoning';

export type ModelStreamPart =
  | { type: 'stream-start'; warnings: ModelWarning[] }
  | { type: 'response-metadata'; id?: string; modelId: string }
  | { type: `${Block}-start`; id: string }
  | { type: `${Block}-delta`; id: string; delta: string }
  | { type: 'reasoning-end'; id: string; providerMetadata?: Metadata }
  | { type: 'text-end'; id: string; citations?: CitedSource[]; providerMetadata?: Metadata }
  | { type: 'tool-input-start'; id: string; toolName: string }
  | { type: 'tool-input-delta'; id: string; delta: string }
  | { type: 'tool-input-end'; id: string }
  | Source
  | ToolCall
  | ToolResult
  | AnswerFile
  | { type: 'error'; error: unknown }
  | {
      type: 'finish';
      finishReason: ModelFinishReason;
      usage: ModelUsage;
      providerMetadata: Metadata;
    };

/** A tier as a language model: a `LanguageModelV4` of the AI SDK. */
export interface TierModel<Tier extends string = string> {
  readonly specificationVersion: 'v4';
  readonly provider: 'signalbox';
  /** The name of the tier. */
  readonly modelId: Tier;
  /** The URLs that vendors fetch. The AI SDK downloads others. */
  readonly supportedUrls: Record<string, RegExp[]>;
  doGenerate(options: LanguageModelCall): Promise<GenerateResult>;
  doStream(options: LanguageModelCall): Promise<{ stream: ReadableStream<ModelStreamPart> }>;
}

type EmbeddingModelCall = {
  readonly values: readonly string[];
  readonly dimensions?: number | undefined;
  readonly abortSignal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined;
  readonly providerOptions?: ProviderOptions | undefined;
};

/** A tier as an embedding model: an `EmbeddingModelV4` of the AI SDK. */
export interface TierEmbeddingModel<Tier extends string = string> {
  readonly specificationVersion: 'v4';
  readonly provider: 'signalbox';
  /** The name of the tier. */
  readonly modelId: Tier;
  /** Unlimited: the router divides the values by the vendor's limit. */
  readonly maxEmbeddingsPerCall: number;
  readonly supportsParallelCalls: boolean;
  doEmbed(options: EmbeddingModelCall): Promise<{
    embeddings: number[][];
    usage: { tokens: number };
    providerMetadata: Metadata;
    warnings: ModelWarning[];
  }>;
}

export type ImageModelCall = {
  readonly prompt: string | undefined;
  readonly n: number;
  readonly size: string | undefined;
  readonly aspectRatio: string | undefined;
  readonly seed: number | undefined;
  readonly files: readonly unknown[] | undefined;
  readonly mask: unknown;
  readonly abortSignal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined;
  readonly providerOptions?: ProviderOptions | undefined;
};

/** A tier as an image model: an `ImageModelV4` of the AI SDK. */
export interface TierImageModel<Tier extends string = string> {
  readonly specificationVersion: 'v4';
  readonly provider: 'signalbox';
  /** The name of the tier. */
  readonly modelId: Tier;
  readonly maxImagesPerCall: number;
  doGenerate(options: ImageModelCall): Promise<{
    images: string[];
    usage: { inputTokens: number; outputTokens: number; totalTokens: number };
    providerMetadata: Record<string, JsonRecord & { images: JsonValue[] }>;
    response: { timestamp: Date; modelId: string; headers: undefined };
    warnings: ModelWarning[];
  }>;
}

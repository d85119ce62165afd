import type { FinishReason } from '../../protocol/completion.ts';
import type { Json, JsonObject } from '../../protocol/json.ts';

/** The wires that the simulators support. */
export type WrittenWire = 'openai-responses' | 'openai-chat' | 'anthropic' | 'gemini';

/** The embedding and image APIs. */
type WrittenOtherWire = 'openai-embeddings' | 'openai-images' | 'gemini-embeddings';

/** Request headers by their names in lower case. */
export type RequestHeaders = Readonly<Record<string, string | undefined>>;

/** A request received by a simulated provider. */
export type ReceivedRequest = {
  /** Absent when no wire of this provider accepts the path. */
  readonly wire: WrittenWire | WrittenOtherWire | undefined;
  readonly method: string;
  readonly path: string;
  /** Names in lower case. Includes the API key: use it in tests, not in logs. */
  readonly headers: RequestHeaders;
  /** The parsed JSON body; empty when it is not a JSON object. */
  readonly body: JsonObject;
  readonly model: string;
  /** Whether the request asks for a stream. */
  readonly stream: boolean;
  /** The API key or access token of the request. */
  readonly key: string | undefined;
};

/** The kind of error. Each wire turns it into its status, body and headers. */
export type VendorErrorKind =
  | 'rate_limited'
  | 'quota_exhausted'
  | 'auth'
  | 'permission'
  | 'model_not_found'
  | 'context_length'
  | 'content_filter'
  | 'overloaded'
  | 'server_error'
  | 'invalid_request'
  | 'unsupported';

/** A complete answer, which each wire writes in its format. */
export type AnswerToWrite = {
  readonly model: string;
  readonly text: string;
  readonly chunks: readonly string[];
  readonly reasoning: string | undefined;
  readonly reasoningSignature: string | undefined;
  readonly toolCalls: readonly CallToWrite[];
  readonly refusal: string | undefined;
  readonly finishReason: FinishReason;
  readonly usage: UsageToWrite;
  readonly streamUsage: 'on-request' | 'always';
  readonly serviceTier: string | undefined;
};

export type CallToWrite = {
  readonly id: string | undefined;
  readonly name: string;
  readonly input: Json;
  readonly inputText: string;
};

/** Counted like `Usage`: the input includes cached and written tokens, the output includes reasoning. */
export type UsageToWrite = {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
  readonly reasoningTokens: number;
};

/** One server-sent event, before it is written. */
export type Frame = {
  readonly event?: string;
  /** An object is sent as JSON, a string unchanged (`[DONE]`). */
  readonly data: JsonObject | string;
  /** `preamble` is sent before the delay of the first token. `end` is omitted by the fault `no-done`. */
  readonly role: 'preamble' | 'content' | 'finish' | 'end';
};

/** The output that the request asks for. It determines the default answer. */
export type RequestedOutput = {
  readonly schema: unknown;
  readonly tools: readonly { readonly name: string; readonly schema: unknown }[];
  /** The tool that the answer must call. Any tool will do when `name` is undefined. */
  readonly forcedTool: { readonly name: string | undefined } | undefined;
};

/** For requests without a schema and without tools. */
export const noRequestedOutput: RequestedOutput = {
  schema: undefined,
  tools: [],
  forcedTool: undefined,
};

/** One exchange: the request, and the values used for ids and timestamps. */
export type Turn = {
  readonly request: ReceivedRequest;
  /** Unique within the provider. Consists of letters and digits. */
  readonly serial: string;
  /** Epoch milliseconds. */
  readonly at: number;
};

export type AnswerTurn = Turn & { readonly answer: AnswerToWrite };

/** An error to write in the vendor's format. */
export type VendorError = {
  readonly kind: VendorErrorKind;
  /** @default the vendor's usual status for `kind` */
  readonly status?: number | undefined;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  /** The field of the request at fault. `null` for none. @default the vendor's usual one for `kind` */
  readonly param?: string | null | undefined;
  readonly retryAfterSeconds?: number | undefined;
};

export type ErrorReply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: JsonObject;
};

/**
 * The server side of one vendor protocol. All functions are pure; the server sends the results.
 */
export interface WireWriter {
  readonly name: WrittenWire | WrittenOtherWire;
  /** Whether `path` (without the query) belongs to this wire. Any prefix is accepted. */
  accepts(path: string): boolean;
  /** Reads the model and whether the request asks for a stream. */
  read(path: string, body: JsonObject): { readonly model: string; readonly stream: boolean };
  /** Reads the API key or token. */
  credential(headers: RequestHeaders, query: URLSearchParams): string | undefined;
  /** The error for a request without a key. */
  readonly missingKey: VendorErrorKind;
  requestedOutput(body: JsonObject): RequestedOutput;
  /** Why the vendor would reject the request, or `undefined` when it would not. */
  complaint(request: ReceivedRequest): string | undefined;
  /** Headers of a successful answer. */
  headers(turn: Turn): Readonly<Record<string, string>>;
  unary(turn: AnswerTurn): JsonObject;
  frames(turn: AnswerTurn): readonly Frame[];
  error(error: VendorError, turn: Turn): ErrorReply;
  /** The events of an error inside a stream (or instead of one, with a 200), after `sent` events. */
  errorFrames(error: VendorError, turn: AnswerTurn, sent: number): readonly Frame[];
  /** The raw text of one event or comment that keeps an idle stream alive. */
  readonly keepAlive: string;
}

const chunkCharacters = 12;
const maxChunks = 64;

/** Splits the text into chunks of whole characters. */
export function splitText(text: string): readonly string[] {
  const characters = [...text];
  const size = Math.max(chunkCharacters, Math.ceil(characters.length / maxChunks));
  return Array.from({ length: Math.ceil(characters.length / size) }, (_, index) =>
    characters.slice(index * size, (index + 1) * size).join(''),
  );
}

/** The token of an `Authorization: Bearer` header, if any. */
export function bearer(headers: RequestHeaders): string | undefined {
  return /^bearer\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1];
}

/** An image of one transparent pixel, as a PNG in base64. */
export const onePixelPng =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';

const defaultDimensions = 8;

/** FNV-1a, so that the same text always gives the same vector. */
function hash(text: string, seed: number): number {
  let value = 0x811c9dc5 ^ seed;
  for (const character of text) {
    value = Math.imul(value ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  return (value >>> 0) / 2 ** 32;
}

/** A vector for a text, with components between -1 and 1. */
export function simulatedVector(text: string, dimensions = defaultDimensions): readonly number[] {
  return Array.from({ length: dimensions }, (_, index) => hash(text, index) * 2 - 1);
}

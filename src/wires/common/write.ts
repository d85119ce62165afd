import type { FinishReason } from '../../protocol/completion.ts';
import type { Json, JsonObject } from '../../protocol/json.ts';

/** The wires that the simulators speak. */
export type WrittenWire = 'openai-responses' | 'openai-chat' | 'anthropic' | 'gemini';

/** APIs next to them, which answer with vectors and images. */
type WrittenOtherWire = 'openai-embeddings' | 'openai-images' | 'gemini-embeddings';

/** Request headers by their names in lower case. */
export type RequestHeaders = Readonly<Record<string, string | undefined>>;

/** A request as a simulated provider read it. */
export type ReceivedRequest = {
  /** Absent for a path that no wire of this provider knows. */
  readonly wire: WrittenWire | WrittenOtherWire | undefined;
  readonly method: string;
  readonly path: string;
  /** Names in lower case. Keys are in here: this is for tests, not for logs. */
  readonly headers: RequestHeaders;
  /** The parsed JSON body; empty when it is not a JSON object. */
  readonly body: JsonObject;
  readonly model: string;
  /** Whether a stream was asked for. */
  readonly stream: boolean;
  /** The API key or access token that came along. */
  readonly key: string | undefined;
};

/** What a vendor complains about, in a word that each wire turns into its own status, body and headers. */
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

/** An answer with nothing left open, which the wires put into their words. */
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
  readonly serviceTier: string | undefined;
};

export type CallToWrite = {
  readonly id: string | undefined;
  readonly name: string;
  readonly input: Json;
  readonly inputText: string;
};

/** Counted like `Usage`: the input includes cached and written tokens, the output includes reasoning. */
type UsageToWrite = {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedInputTokens: number;
  readonly cacheWriteTokens: number;
  readonly reasoningTokens: number;
};

/** One server-sent event, before it is written. */
export type Frame = {
  readonly event?: string;
  /** An object is sent as JSON, a string as it is (`[DONE]`). */
  readonly data: JsonObject | string;
  /** `preamble` comes before the wait for the first token, `end` is what `no-done` leaves out. */
  readonly role: 'preamble' | 'content' | 'finish' | 'end';
};

/** What the request asks for, as far as the default answer cares. */
export type Asked = {
  readonly schema: unknown;
  readonly tools: readonly { readonly name: string; readonly schema: unknown }[];
  /** The tool that the answer must call; any one when it is not named. */
  readonly forcedTool: { readonly name: string | undefined } | undefined;
};

/** For requests that ask for neither an object nor a tool. */
export const nothingAsked: Asked = { schema: undefined, tools: [], forcedTool: undefined };

/** One exchange: the numbers that go into ids and times, and the request. */
export type Turn = {
  readonly request: ReceivedRequest;
  /** Unique within the provider, of letters and digits. */
  readonly serial: string;
  /** Epoch milliseconds. */
  readonly at: number;
};

export type AnswerTurn = Turn & { readonly answer: AnswerToWrite };

/** An error to be put into the vendor's format. */
export type VendorError = {
  readonly kind: VendorErrorKind;
  /** @default the vendor's own for `kind` */
  readonly status?: number | undefined;
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
};

export type ErrorReply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: JsonObject;
};

/**
 * One vendor protocol, seen from the vendor's side. All functions are pure; the server does the sending.
 */
export interface WireWriter {
  readonly name: WrittenWire | WrittenOtherWire;
  /** Whether `path` (without the query) is this wire's. Any prefix before it is accepted. */
  accepts(path: string): boolean;
  /** The model and whether a stream is asked for, from wherever the wire puts them. */
  read(path: string, body: JsonObject): { readonly model: string; readonly stream: boolean };
  /** The API key or token, from wherever the wire puts it. */
  credential(headers: RequestHeaders, query: URLSearchParams): string | undefined;
  /** What the vendor says when no key came at all. */
  readonly missingKey: VendorErrorKind;
  asked(body: JsonObject): Asked;
  /** What the vendor would reject about the request, if anything. */
  complaint(request: ReceivedRequest): string | undefined;
  /** Headers of a good answer. */
  headers(turn: Turn): Readonly<Record<string, string>>;
  unary(turn: AnswerTurn): JsonObject;
  frames(turn: AnswerTurn): readonly Frame[];
  error(error: VendorError, turn: Turn): ErrorReply;
  /** The events that tell of an error inside a stream (or of a 200 that is none), after `sent` events. */
  errorFrames(error: VendorError, turn: AnswerTurn, sent: number): readonly Frame[];
  /** What keeps an idle stream alive, as the raw text of one event or comment. */
  readonly keepAlive: string;
}

const pieceCharacters = 12;
const mostPieces = 64;

/** The text in pieces of whole characters. */
export function splitText(text: string): readonly string[] {
  const characters = [...text];
  const size = Math.max(pieceCharacters, Math.ceil(characters.length / mostPieces));
  return Array.from({ length: Math.ceil(characters.length / size) }, (_, index) =>
    characters.slice(index * size, (index + 1) * size).join(''),
  );
}

/** The token of an `Authorization` header; absent when it is empty. */
export function bearer(headers: RequestHeaders): string | undefined {
  return /^bearer\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1];
}

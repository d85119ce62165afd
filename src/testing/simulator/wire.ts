import type { JsonObject } from '../../protocol/json.ts';
import type {
  RequestHeaders,
  ResolvedAnswer,
  SimulatedOtherWireName,
  SimulatedRequest,
  SimulatedWireName,
} from './answer.ts';
import type { SimulatedErrorKind } from './faults.ts';

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

/** One exchange: the numbers that go into ids and times, and the request. */
export type Turn = {
  readonly request: SimulatedRequest;
  /** Unique within the provider, of letters and digits. */
  readonly serial: string;
  /** Epoch milliseconds. */
  readonly at: number;
};

export type AnswerTurn = Turn & { readonly answer: ResolvedAnswer };

/** An error to be put into the vendor's format. */
export type VendorError = {
  readonly kind: SimulatedErrorKind;
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
export interface SimulatedWire {
  readonly name: SimulatedWireName | SimulatedOtherWireName;
  /** Whether `path` (without the query) is this wire's. Any prefix before it is accepted. */
  accepts(path: string): boolean;
  /** The model and whether a stream is asked for, from wherever the wire puts them. */
  read(path: string, body: JsonObject): { readonly model: string; readonly stream: boolean };
  /** The API key or token, from wherever the wire puts it. */
  credential(headers: RequestHeaders, query: URLSearchParams): string | undefined;
  /** What the vendor says when no key came at all. */
  readonly missingKey: SimulatedErrorKind;
  asked(body: JsonObject): Asked;
  /** What the vendor would reject about the request, if anything. */
  complaint(request: SimulatedRequest): string | undefined;
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

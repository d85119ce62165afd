import type { CallOptions } from '../../protocol/call-options.ts';
import type { FinishReason } from '../../protocol/completion.ts';
import type { Json, JsonObject, JsonSchema } from '../../protocol/json.ts';
import type { Message } from '../../protocol/message.ts';
import type { Tool } from '../../protocol/request.ts';
import type { Frame, Turn, UsageToWrite, VendorError } from './write.ts';

/** What a client of a wire asks for, in the router's terms. */
export type ClientRequest = {
  /** The name that the client calls the model by. */
  readonly model: string;
  readonly messages: readonly Message[];
  readonly options: Pick<
    CallOptions<string, JsonSchema, readonly Tool<string, JsonSchema>[]>,
    | 'tools'
    | 'toolChoice'
    | 'parallelToolCalls'
    | 'schema'
    | 'maxOutputTokens'
    | 'temperature'
    | 'topP'
    | 'topK'
    | 'frequencyPenalty'
    | 'presencePenalty'
    | 'stop'
    | 'seed'
    | 'reasoning'
    | 'userId'
    | 'cache'
  >;
  readonly stream: boolean;
};

/** A client's request that cannot be read. The message is for the client: it holds no value of the request. */
export class RequestProblem extends Error {
  /** The field at fault, such as `messages[0].content`. */
  readonly path: string;

  constructor(path: string, message: string) {
    super(message);
    this.name = 'RequestProblem';
    this.path = path;
  }
}

/** A part of an answer, in the order in which it arrives. */
export type PartToWrite =
  | { readonly type: 'text' | 'refusal'; readonly delta: string }
  | { readonly type: 'reasoning'; readonly delta: string }
  /** Ends the reasoning before it. `opaque` is what the client sends back with it. */
  | { readonly type: 'reasoning-end'; readonly opaque?: string | undefined }
  /** `id` is undefined if the wire is to make one up. */
  | {
      readonly type: 'tool-call';
      readonly key: string;
      readonly id?: string | undefined;
      readonly name: string;
    }
  /** `key` is that of the call. The arguments of several calls may take turns. */
  | { readonly type: 'tool-input'; readonly key: string; readonly delta: string }
  /** `input` is what the arguments are as JSON; `opaque` is what the client sends back with the call. */
  | {
      readonly type: 'tool-call-end';
      readonly key: string;
      readonly input: Json;
      readonly opaque?: string | undefined;
    };

/** What is known at the start of an answer. */
export type AnswerHead = { readonly model: string };

/** What is known at its end. */
export type AnswerEnd = {
  readonly finishReason: FinishReason;
  readonly usage: UsageToWrite;
  readonly serviceTier?: string | undefined;
};

/**
 * Writes one answer in a wire's format: as events while it arrives, or as one body. Clients of the HTTP handler and the
 * simulated vendors get the same bytes.
 */
export interface AnswerWriter {
  /** The events before the first part. */
  start(): readonly Frame[];
  write(part: PartToWrite): readonly Frame[];
  finish(end: AnswerEnd): readonly Frame[];
  /** The events of a failure after those so far. Nothing follows them. */
  fail(error: VendorError): readonly Frame[];
  /** The answer as one body. Only after `finish`. */
  body(): JsonObject;
}

/** The server side of a wire, for clients that are not ours. */
export interface ServedWire {
  /** @throws RequestProblem */
  read(body: JsonObject): ClientRequest;
  writer(turn: Turn, head: AnswerHead): AnswerWriter;
  /** The body of an error response. */
  errorBody(error: VendorError, turn: Turn): JsonObject;
  /** The status of an error response. @default the error's */
  statusOf?(error: VendorError): number | undefined;
  /** The header with the id of a request. @default 'x-request-id' */
  readonly requestIdHeader?: string;
  /** What keeps an idle stream open. @default a comment */
  readonly heartbeat?: string;
}

import type { ReadableStream as NodeReadableStream } from 'node:stream/web';
import type { ErrorSummary } from './attempt.ts';
import type { Completion, FinishReason, Warning } from './completion.ts';
import type { Part } from './message.ts';
import type { Usage } from './usage.ts';

/** A part of a stream: a union discriminated by `type`. Failures are thrown. */
export type StreamPart<Answer = Completion> =
  | { readonly type: 'start'; readonly target: string; readonly model: string }
  /** `refusal`: the vendor says that these are the words of a refusal. Many vendors only say so at the end. */
  | { readonly type: 'text-delta'; readonly delta: string; readonly refusal?: true }
  | { readonly type: 'reasoning-delta'; readonly delta: string }
  | {
      readonly type: 'tool-call-start';
      readonly id: string;
      readonly name: string;
    }
  | {
      readonly type: 'tool-call-delta';
      readonly id: string;
      readonly delta: string;
    }
  | { readonly type: 'part-end'; readonly part: Part }
  /**
   * The model called a tool that was not offered, or that `toolChoice` excludes, and the answer is not restarted. `id`
   * and `name` are the model's. The call is not in `toolCalls` or `partial`; do not answer it. The stream then fails
   * with `invalid_output`, or with `all_targets_failed` if the other targets failed too.
   */
  | { readonly type: 'invalid-tool-call'; readonly id: string; readonly name: string }
  /** Discard all parts so far: the answer restarts on another target. */
  | {
      readonly type: 'restart';
      readonly from: string;
      readonly to: string;
      readonly error: ErrorSummary;
    }
  /** Keep all parts so far: another target continues the answer where it broke off. */
  | {
      readonly type: 'continue';
      readonly from: string;
      readonly to: string;
      readonly error: ErrorSummary;
    }
  | { readonly type: 'finish'; readonly completion: Answer };

/** A part that an adapter yields. The last part of an attempt is `finish`. Failures are thrown. */
export type ProviderPart =
  /** The vendor accepted the request. Not visible: after a failure, another target can still answer from the start. */
  | {
      readonly type: 'open';
      readonly id?: string | undefined;
      readonly servedModel?: string | undefined;
      readonly requestId?: string | undefined;
    }
  /** Usage that is known before the end, such as Anthropic's input tokens. Billed if the stream is cut. */
  | { readonly type: 'usage'; readonly usage: Usage }
  | { readonly type: 'warning'; readonly warning: Warning }
  | { readonly type: 'text-delta'; readonly delta: string; readonly refusal?: true }
  | { readonly type: 'reasoning-delta'; readonly delta: string }
  | {
      readonly type: 'tool-call-start';
      readonly id: string;
      readonly name: string;
    }
  | {
      readonly type: 'tool-call-delta';
      readonly id: string;
      readonly delta: string;
    }
  | { readonly type: 'part-end'; readonly part: Part }
  /** The vectors of an embedding request, in the order of its values. */
  | { readonly type: 'vectors'; readonly vectors: readonly (readonly number[])[] }
  | {
      readonly type: 'finish';
      readonly finishReason: FinishReason;
      readonly rawFinishReason?: string | undefined;
      readonly finishDetail?: string | undefined;
      readonly id?: string | undefined;
      readonly servedModel?: string | undefined;
      readonly serviceTier?: string | undefined;
      /** Absent if the vendor reported none. The engine then estimates it and adds a warning. */
      readonly usage?: Usage | undefined;
      /** The vendor's response (unary) or its events (stream), with `keepRaw`. */
      readonly raw?: unknown;
    };

/** Format of `toReadableStream`: only the text, every part as a server-sent event, or every part as a line of JSON. */
export type ReadableFormat = 'text' | 'sse' | 'json';

/** What a readable stream of parts can show besides the answer. */
export type Included = 'cost' | 'trail' | 'tags' | 'opaque';

export type ReadableOptions = {
  /**
   * What `'sse'` and `'json'` show besides the answer. `cost`: usage and US dollars. `trail`: attempts, targets that
   * failed, times, warnings and the vendor's ids. `tags`: the tags of the call. `opaque`: replay data in parts, and raw
   * responses.
   * @default none
   */
  readonly include?: readonly Included[] | undefined;
  /**
   * Milliseconds without a part after which `'sse'` sends a comment, so that proxies keep the connection open.
   * @default 15_000
   */
  readonly heartbeatMs?: number | undefined;
};

/** A stream of bytes, for functions of the web and for those of Node, whose types differ in programs with the DOM library. */
export type ByteStream = ReadableStream<Uint8Array> & NodeReadableStream<Uint8Array>;

/** A streamed answer. Read it once: by iterating it, by `textStream`, by `toReadableStream`, or by `completion`. */
export interface CompletionStream<Answer = Completion> extends AsyncIterable<StreamPart<Answer>> {
  /**
   * Resolves when a target commits to an answer, and rejects with the error of the call if none does: before the first
   * byte of a response is sent. Access starts the call and reads up to that point; the parts are kept for the reader.
   * Never causes an unhandled rejection. After a `restart` it is still the first target.
   */
  readonly started: Promise<{ readonly target: string; readonly model: string }>;
  /** The deltas of the text. Fails at a `restart`, because text cannot be retracted. */
  readonly textStream: AsyncIterable<string>;
  /**
   * UTF-8 bytes for a web `Response`. Canceling it closes the vendor's socket.
   *
   * - `'text'`: the deltas of the text. Fails when the call fails.
   * - `'sse'`: every part as a server-sent event with JSON data, including reasoning and tool calls. A failure is an event
   *   `error` with `code` and `message`, and then the end: it never fails. An `EventSource` does not reconnect.
   * - `'json'`: the same as lines of JSON.
   *
   * @default 'text'
   * @throws SignalboxError `config` for an unknown format or option
   */
  toReadableStream(format?: ReadableFormat, options?: ReadableOptions): ByteStream;
  /** Resolves with the complete answer. Never causes an unhandled rejection. */
  readonly completion: Promise<Answer>;
}

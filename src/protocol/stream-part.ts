import type { ErrorSummary } from './attempt.ts';
import type { Completion, FinishReason, Warning } from './completion.ts';
import type { Part } from './message.ts';
import type { Usage } from './usage.ts';

/** What a reader of `router.stream()` gets, told apart by `type`. Failures are thrown. */
export type StreamPart<Answer = Completion> =
  | { readonly type: 'start'; readonly target: string; readonly model: string }
  | { readonly type: 'text-delta'; readonly delta: string }
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
   * The answer ends here: the model called a tool that was not offered, or that `toolChoice` excludes, and the answer
   * is not restarted. `id` and `name` are the model's own; there is no such call in `toolCalls` or `partial`, and
   * nothing to answer. The error `invalid_output` follows, or `all_targets_failed` when the others failed too.
   */
  | { readonly type: 'invalid-tool-call'; readonly id: string; readonly name: string }
  /** Discard all that came before: another target answers from the start. */
  | {
      readonly type: 'restart';
      readonly from: string;
      readonly to: string;
      readonly error: ErrorSummary;
    }
  /** Keep all that came before: another target goes on where it broke off. */
  | {
      readonly type: 'continue';
      readonly from: string;
      readonly to: string;
      readonly error: ErrorSummary;
    }
  | { readonly type: 'finish'; readonly completion: Answer };

/** What an adapter yields for one attempt. The last one is always `finish`; failures are thrown. */
export type ProviderPart =
  /** Preamble: the vendor accepted the request. Not visible; a failure after it is still routed around. */
  | {
      readonly type: 'open';
      readonly id?: string | undefined;
      readonly servedModel?: string | undefined;
      readonly requestId?: string | undefined;
    }
  /** Usage known before the end (Anthropic tells the input at once), for streams that are cut. */
  | { readonly type: 'usage'; readonly usage: Usage }
  | { readonly type: 'warning'; readonly warning: Warning }
  | { readonly type: 'text-delta'; readonly delta: string }
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
  /** The answer to an embedding request, in the order of its values. */
  | { readonly type: 'vectors'; readonly vectors: readonly (readonly number[])[] }
  | {
      readonly type: 'finish';
      readonly finishReason: FinishReason;
      readonly rawFinishReason?: string | undefined;
      readonly finishDetail?: string | undefined;
      readonly id?: string | undefined;
      readonly servedModel?: string | undefined;
      readonly serviceTier?: string | undefined;
      /** Absent when the vendor reported none: the engine then estimates and says so. */
      readonly usage?: Usage | undefined;
      /** The vendor's response (unary) or events (stream), when the caller asked for `raw`. */
      readonly raw?: unknown;
    };

/** How `toReadableStream` writes: the text alone, or every part as a server-sent event. */
export type ReadableFormat = 'text' | 'sse';

/** An answer as it comes. Read it once, in one of the four ways; awaiting `completion` alone drives it too. */
export interface CompletionStream<Answer = Completion> extends AsyncIterable<StreamPart<Answer>> {
  /** The text alone, delta by delta. Fails at a `restart`, since text cannot be taken back. */
  readonly textStream: AsyncIterable<string>;
  /**
   * UTF-8 bytes for a web `Response`: the text, or with `'sse'` every part as a server-sent event with JSON
   * data (reasoning and tool calls included). Cancelling it closes the vendor's socket.
   * @default 'text'
   */
  toReadableStream(format?: ReadableFormat): ReadableStream<Uint8Array>;
  /** The whole answer once it has ended. Never causes an unhandled rejection. */
  readonly completion: Promise<Answer>;
}

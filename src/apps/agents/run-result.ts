import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Message, ToolResultPart } from '../../protocol/message.ts';
import type { StreamPart } from '../../protocol/stream-part.ts';

/**
 * How a tool call ended. `not-run`: its input was invalid, the answer that has it was cut, or there is no such tool.
 * `denied`: by a plugin, or not approved. `interrupted`: the run ended while the tool ran, so nobody knows whether it took
 * effect; it does not run again. The model is told in each case.
 */
export type ToolStatus = 'ok' | 'error' | 'timeout' | 'not-run' | 'denied' | 'interrupted';

/** What became of one tool call. */
export type ToolRecord = {
  readonly toolCallId: string;
  readonly name: string;
  readonly status: ToolStatus;
  /** Milliseconds. Absent if the tool did not run. */
  readonly durationMs?: number;
  /** What the tool or `approve` threw. The model does not get it, and a state does not contain it. */
  readonly error?: unknown;
};

/** One call of the router, and the tool calls of its answer. */
export type RunStep = {
  /** From 0. */
  readonly index: number;
  readonly tier: string;
  /** The `callId` of the call's events. */
  readonly callId: string;
  /** `provider/model` that answered. */
  readonly target: string;
  readonly finishReason: FinishReason;
  /** US dollars, failed attempts included. `null` if a price is unknown. */
  readonly usd: number | null;
  /** In the order in which they ended. Those that wait for approval are not in it. */
  readonly tools: readonly ToolRecord[];
};

/** A part of a run: the parts of each step's answer, and those of the run itself. `finish` ends a step, not the run. */
export type RunPart<Answer> =
  | StreamPart<Answer>
  /** A call of the router follows. */
  | { readonly type: 'step-start'; readonly step: number; readonly tier: string }
  /** A tool call has its result, which the model gets with those of the other calls. */
  | ({
      readonly type: 'tool-result';
      readonly step: number;
      readonly result: ToolResultPart;
    } & Pick<ToolRecord, 'status' | 'durationMs' | 'error'>);

/**
 * A run that can go on, as JSON: for `resumeTools`, in this process or another. It contains the whole conversation, so store
 * it like your users' data; and whoever can write it decides what runs, so store it where clients cannot.
 */
export type RunState = JsonObject & { readonly kind: 'signalbox-run'; readonly v: 1 };

type Ended = {
  /** The conversation, with all answers and results. For the next turn, append a message and start a new run. */
  readonly messages: readonly Message[];
  /** All steps, those before the run was resumed included. */
  readonly steps: readonly RunStep[];
  /** US dollars of all steps. `null` if a price is unknown. */
  readonly usd: number | null;
};

/**
 * The end of a run. `done`: the model called no more tools; see `completion.finishReason` for why it stopped. `suspended`:
 * the calls in `pending` wait for approval. `max-steps`: the model would have gone on.
 */
export type RunResult<Answer, ToolCall> =
  | (Ended & { readonly status: 'done'; readonly completion: Answer })
  | (Ended & {
      readonly status: 'suspended';
      /** The last answer. Absent if the run was resumed and suspended again without one. */
      readonly completion?: Answer;
      readonly pending: readonly ToolCall[];
      readonly state: RunState;
    })
  | (Ended & {
      readonly status: 'max-steps';
      /** The last answer. Absent if the run was resumed without a step left. */
      readonly completion?: Answer;
      /** Goes on with a higher `maxSteps`. */
      readonly state: RunState;
    });

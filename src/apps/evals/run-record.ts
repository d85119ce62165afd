import type { Json } from '../../protocol/json.ts';
import type { EvalAnswer } from './eval-case.ts';

/** The first line of a file of a run. */
export type RunHeader = {
  readonly type: 'run';
  readonly version: 1;
  /** The time of its start, as in the name of the file. */
  readonly run: string;
  readonly suite: string;
  readonly tier: string;
  /** Of the suite: a changed suite does not go on with the run. */
  readonly fingerprint: string;
  readonly targets: readonly string[];
  readonly samples: number;
};

/** Which answer a line is about. */
type OfAnswer = {
  readonly target: string;
  readonly case: string;
  /** From 1. */
  readonly sample: number;
};

/** An answer. It is written before it is scored. */
export type AnswerRecord = OfAnswer & {
  readonly type: 'answer';
  /** The model that the vendor reported. */
  readonly model: string;
  readonly text: string;
  readonly object?: Json;
  readonly toolCalls?: EvalAnswer['toolCalls'];
  readonly finishReason: string;
  /** Milliseconds of the attempt that answered. */
  readonly ms: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** US dollars, failed attempts included. `null` if the price is unknown. */
  readonly usd: number | null;
};

/** A call without an answer. */
export type FailureRecord = OfAnswer & {
  readonly type: 'failure';
  /** The code of the error. */
  readonly code: string;
  /** US dollars billed for failed attempts. */
  readonly usd: number;
  /** 0 if the model answered, and the answer cannot be used. Absent if that says nothing about its quality. */
  readonly score?: 0;
};

/** The scores of an answer. */
export type ScoreRecord = OfAnswer & {
  readonly type: 'score';
  /** From 0 to 1. `null` if a scorer failed. */
  readonly score: number | null;
  /** By scorer. */
  readonly scores: Readonly<Record<string, number>>;
  /** Why a scorer failed: its name, and the code or the class of its error. */
  readonly failed?: string;
  /** The message of that error. */
  readonly message?: string;
  /** US dollars that the scorers spent. */
  readonly usd: number;
};

/** What a judge gave a labelled case. */
type LabelRecord = {
  readonly type: 'label';
  readonly scorer: string;
  readonly case: string;
  readonly label: number;
  readonly score: number;
  readonly usd: number;
};

/** The target failed so often in a row that the rest of its cases is not asked. */
export type GivenUpRecord = {
  readonly type: 'given-up';
  readonly target: string;
  readonly code: string;
};

export type RunRecord = AnswerRecord | FailureRecord | ScoreRecord | LabelRecord | GivenUpRecord;

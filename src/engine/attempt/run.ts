import type { ErrorSummary } from '../../protocol/attempt.ts';
import type { PartialAnswer } from '../../protocol/completion.ts';
import type { Part } from '../../protocol/message.ts';
import type { Chain } from '../chain/chain.ts';
import type { Call, Engine } from '../core/engine.ts';
import type { Scope } from '../core/scope.ts';
import type { Trail } from '../core/trail.ts';

/** An answer that broke off after the reader had seen a part of it. */
export type Broken = {
  readonly from: string;
  readonly error: ErrorSummary;
  /** What had arrived, the text under way as its last part. */
  readonly partial: PartialAnswer;
  /** Whether it was plain text, so that another target could go on where it ended. */
  readonly isText: boolean;
};

/** What another target is to go on from. */
export type Continuation = {
  /** The parts that are whole. */
  readonly content: readonly Part[];
  /** The text to go on from; the reader has seen it. */
  readonly text: string;
};

/** What the steps of one call share. */
export type Run = {
  readonly engine: Engine;
  readonly call: Call;
  readonly scope: Scope;
  readonly trail: Trail;
  readonly chain: Chain;
  /** Told when the attempt's first token has come. */
  readonly onBegun?: () => void;
  /** Set once an answer has broken off before the eyes of the reader. */
  readonly broken?: Broken;
};

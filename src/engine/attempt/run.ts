import type { ErrorSummary } from '../../protocol/attempt.ts';
import type { PartialAnswer } from '../../protocol/completion.ts';
import type { Part } from '../../protocol/message.ts';
import type { Chain } from '../chain/chain.ts';
import type { Call, Engine } from '../core/engine.ts';
import type { Scope } from '../core/scope.ts';
import type { Trail } from '../core/trail.ts';

/** An answer that broke off after the reader had seen a part of it. */
export type Interruption = {
  readonly from: string;
  readonly error: ErrorSummary;
  /** What had arrived; unfinished text is its last part. */
  readonly partial: PartialAnswer;
  /** Whether it was plain text, which another target can continue. */
  readonly isText: boolean;
};

/** What another target continues. */
export type Continuation = {
  /** The finished parts. */
  readonly content: readonly Part[];
  /** The unfinished text, which the reader has seen. */
  readonly text: string;
};

/** What the steps of one call share. */
export type Run = {
  readonly engine: Engine;
  readonly call: Call;
  readonly scope: Scope;
  readonly trail: Trail;
  readonly chain: Chain;
  /** It starts now or not at all. */
  readonly isHedge?: true;
  /** Called at the first token of the attempt. */
  readonly onFirstToken?: () => void;
  /** Set once an answer was interrupted after the reader had seen a part of it. */
  readonly interruption?: Interruption;
};

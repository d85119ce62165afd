import type { ResolvedTarget } from '../../config/resolve.ts';
import type { SignalboxError } from '../../errors.ts';
import type { CallDefaults } from '../../protocol/call-options.ts';
import type { Completion, Warning } from '../../protocol/completion.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import type { PreparedCall, Provider } from '../../protocol/provider.ts';
import type { Transfer } from '../../protocol/request.ts';
import type { Needs } from '../../routing/candidate.ts';

/** A completion and what only the embedding task has; the road is the same for all tasks. */
export type WholeCompletion = Completion & {
  readonly vectors?: readonly (readonly number[])[];
};

/** What a target is asked, its options already merged and the turns of a repair already made. */
export type Asked = {
  readonly target: ResolvedTarget;
  readonly options: CallDefaults;
  readonly repair: readonly NormalMessage[];
};

/** The request that an answer is for: the options that held for its target, and what the target did not get. */
export type AnsweredRequest = {
  readonly target: ResolvedTarget;
  readonly options: CallDefaults;
  readonly warnings: readonly Warning[];
};

/**
 * What kinds of call differ in: an answer, vectors, pictures. Everything else (the plan, attempts, failures,
 * events, cost) is one road for all of them.
 */
export interface Task {
  /** What is asked, as far as counting and estimating go. */
  readonly messages: readonly NormalMessage[];
  readonly needs: Needs;
  transferFor(options: CallDefaults): Transfer;
  /**
   * Puts the request into the target's words.
   * @throws SignalboxError `unsupported` or `invalid_request`
   */
  prepare(provider: Provider, asked: Asked): PreparedCall;
  /**
   * Holds a whole answer against what was asked for.
   * @throws SignalboxError when it is of no use.
   */
  check(completion: WholeCompletion): WholeCompletion | Promise<WholeCompletion>;
  /** Why an answer must not call the tool, if so; absent where answers call none. */
  callProblem?(name: string, request: AnsweredRequest): SignalboxError | undefined;
  /** Targets of different families cannot stand in for each other; absent where all can. */
  familyOf?(target: ResolvedTarget): string;
}

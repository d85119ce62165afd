import type { ResolvedTarget } from '../config/resolve.ts';
import type { CallDefaults } from '../protocol/call-options.ts';
import type { NormalMessage } from '../protocol/message.ts';
import type { PreparedCall, Provider } from '../protocol/provider.ts';
import type { WireMode } from '../protocol/request.ts';
import type { Needs } from '../routing/candidate.ts';
import type { WholeCompletion } from './to-completion.ts';

/** What a target is asked, its options already merged and the turns of a repair already made. */
export type Asked = {
  readonly target: ResolvedTarget;
  readonly options: CallDefaults;
  readonly repair: readonly NormalMessage[];
};

/**
 * What kinds of call differ in: an answer, vectors, pictures. Everything else (the plan, attempts, failures,
 * events, cost) is one road for all of them.
 */
export interface Task {
  /** What is asked, as far as counting and estimating go. */
  readonly messages: readonly NormalMessage[];
  readonly needs: Needs;
  wireFor(options: CallDefaults): WireMode;
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
  /** Targets of different families cannot stand in for each other; absent where all can. */
  familyOf?(target: ResolvedTarget): string;
}

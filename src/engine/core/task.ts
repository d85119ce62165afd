import type { ResolvedTarget } from '../../config/resolve.ts';
import { SignalboxError } from '../../errors.ts';
import type { CallDefaults } from '../../protocol/call-options.ts';
import type { Warning } from '../../protocol/completion.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import type { PluginAnswer, PluginRequest } from '../../protocol/plugin.ts';
import type { PreparedCall, Provider } from '../../protocol/provider.ts';
import type { Transfer } from '../../protocol/request.ts';
import type { Needs } from '../../routing/candidate.ts';

/** A completion of any task: an embedding has vectors too. */
export type WholeCompletion = PluginAnswer;

/** A plugin returned a request that this task cannot be made of. */
export function otherKind(kind: PluginRequest['kind'], request: PluginRequest): SignalboxError {
  return new SignalboxError(
    'config',
    `request.kind: must stay "${kind}", and is "${request.kind}"`,
  );
}

/** What a target is sent: the options are merged, and the turns of a repair are made. */
export type TargetRequest = {
  readonly target: ResolvedTarget;
  readonly options: CallDefaults;
  readonly repair: readonly NormalMessage[];
};

/** The request that an answer is for: its target's options, and what the target could not take. */
export type AnsweredRequest = {
  readonly target: ResolvedTarget;
  readonly options: CallDefaults;
  readonly warnings: readonly Warning[];
};

/**
 * What the kinds of call differ in: an answer, vectors, images. Everything else (the plan, attempts, failures, events,
 * cost) is the same for all.
 */
export interface Task {
  readonly request: PluginRequest;
  /** The same task with another request. @throws SignalboxError `config` for a bad one */
  withRequest(request: PluginRequest): Task;
  /** What is sent, for counting and estimating. */
  readonly messages: readonly NormalMessage[];
  readonly needs: Needs;
  transferFor(options: CallDefaults): Transfer;
  /**
   * Puts the request into the vendor's format.
   * @throws SignalboxError `unsupported` or `invalid_request`
   */
  prepare(provider: Provider, request: TargetRequest): PreparedCall;
  /**
   * Checks a whole answer against what the caller expects.
   * @throws SignalboxError when it does not pass
   */
  check(completion: WholeCompletion): WholeCompletion | Promise<WholeCompletion>;
  /** Why an answer must not call the tool; absent where answers call none. */
  callProblem?(name: string, request: AnsweredRequest): SignalboxError | undefined;
  /** Targets of different families cannot replace each other; absent where all can. */
  familyOf?(target: ResolvedTarget): string;
}

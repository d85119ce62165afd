import type { ResolvedTarget } from '../../config/resolve.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import type { PluginAttempt } from '../../protocol/plugin.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { WholeCompletion } from './task.ts';

/** One attempt as the layers around it get it. */
export type LayerAttempt = Omit<PluginAttempt, 'call'>;

/** The plugins around one call, as its plan and its attempts use them. */
export interface CallLayers {
  /** Why a plugin excludes the target; `undefined` when none does. @throws SignalboxError `plugin_failed` */
  exclusion(target: ResolvedTarget): string | undefined;
  /** Sends an attempt through the `wrapAttempt` hooks. */
  send(
    attempt: LayerAttempt,
    send: () => AsyncIterable<readonly ProviderPart[]>,
  ): AsyncIterable<readonly ProviderPart[]>;
  /**
   * Checks a whole answer: the plugins' `accept`, then what the caller expects, on the answer as the caller will see it.
   * Returns it unchanged. @throws SignalboxError when it does not pass
   */
  check(completion: WholeCompletion): Promise<WholeCompletion>;
  /** The turns that ask for a repair, as the plugins' `onRequest` make them. */
  repair(turns: readonly NormalMessage[]): Promise<readonly NormalMessage[]>;
}

import { SignalboxError } from '../../errors.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { charactersPerToken } from '../core/collected.ts';

/** A shorter look says nothing: answers come in bursts. */
const shortestLookMs = 1_000;

/** How fast an answer comes, for calls that want it whole within their deadline. */
export interface Pace {
  /**
   * Takes a part into account.
   * @throws SignalboxError `timeout` of phase `pace` when, at this pace, the answer cannot be whole in time.
   */
  seen(part: ProviderPart, now: number): void;
}

function charactersOf(part: ProviderPart): number {
  return 'delta' in part ? part.delta.length : 0;
}

/** `usualTokens` is how long the target's answers usually are; `endsAt` the call's deadline. */
export function createPace(usualTokens: number, endsAt: number): Pace {
  let characters = 0;
  let begunAt: number | undefined;
  return {
    seen(part, now) {
      const more = charactersOf(part);
      if (more === 0) return;
      // What came in the first piece took none of the time that is measured.
      if (begunAt === undefined) {
        begunAt = now;
        return;
      }
      characters += more;
      const lookedMs = now - begunAt;
      if (lookedMs < shortestLookMs) return;
      const tokensPerMs = characters / charactersPerToken / lookedMs;
      const missing = usualTokens - characters / charactersPerToken;
      if (now + missing / tokensPerMs <= endsAt) return;
      const perSecond = Math.round(tokensPerMs * 10_000) / 10;
      throw new SignalboxError(
        'timeout',
        `${perSecond} tokens a second are too few to be whole within totalMs`,
        { phase: 'pace' },
      );
    },
  };
}

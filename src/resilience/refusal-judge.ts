import { createSendWindow, unusualRefusals } from './refused-share.ts';

/** Before so many attempts it is unknown which share is usual. */
const leastAttempts = 40;

/** One alarm by chance in so many attempts. */
const byChance = { usually: 1e-5, whenTrying: 1e-3 } as const;

/** What the usual share is taken to be before there is any attempt, and for how many attempts that counts. */
const prior = { refused: 0.5, attempts: 100 } as const;

/** The usual share is that of about so many attempts. */
const longest = 500;

/** Tells refusals that our rate or number of attempts has caused from those that come at any rate. */
export interface RefusalJudge {
  /** Counts an attempt that is sent now. Returns its number. */
  send(now: number): number;
  /**
   * The attempt with that number was refused. Returns whether more are refused than usual, so that there must be a
   * limit. `isTrying`: more is let through than before, so that a limit is likely.
   */
  refuse(number: number, isTrying: boolean): boolean;
  /** What led to an alarm: it does not count for the next one, nor as usual. */
  startOver(): void;
}

export function createRefusalJudge(): RefusalJudge {
  let old = { refused: 0, attempts: 0 };
  let attempts = 0;
  const window = createSendWindow((wasRefused) => {
    old.attempts += 1;
    if (wasRefused) old.refused += 1;
    if (old.attempts > longest) old = { refused: old.refused / 2, attempts: old.attempts / 2 };
  });

  return {
    send(now) {
      attempts += 1;
      return window.send(now);
    },
    refuse(number, isTrying) {
      window.refuse(number);
      if (attempts < leastAttempts || !window.has(number)) return false;
      const share = (old.refused + prior.refused) / (old.attempts + prior.attempts);
      const chance = isTrying ? byChance.whenTrying : byChance.usually;
      return window.refused() >= unusualRefusals(Math.min(share, 0.5), chance);
    },
    startOver: () => window.clear(),
  };
}

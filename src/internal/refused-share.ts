/** Attempts looked back on: enough to tell a share, few enough to react within a second or two. */
const lookback = 20;

/** Fewer refusals are chance, whatever their share. */
const leastRefusals = 3;

/** After so long without an attempt, what happened before says nothing any more. */
const forgetMs = 600_000;

/** So many attempts are remembered: some may be refused long after many more were sent. */
const remembered = 1_024;

/** Attempts that were sent at the same time, in epoch milliseconds. */
type Batch = { readonly at: number; last: number };

/** An attempt that was sent. */
export type Sent = {
  /** Its position in the order of sending, from 1. */
  readonly number: number;
  readonly batch: Batch;
};

export type RefusedShare = {
  readonly refused: number;
  /** 20, or fewer at the beginning. */
  readonly attempts: number;
};

/** The attempts that were sent last, in the order in which they were sent, and which of them were refused. */
export interface SendWindow {
  /** Counts an attempt that is sent now. */
  send(now: number): Sent;
  /**
   * The vendor refused the attempt. Returns how many of the last twenty were refused: up to the latest refused one, as
   * those sent later may be refused yet.
   */
  refuse(sent: Sent): RefusedShare;
  /** Attempts sent so far do not count any more. */
  startOver(): void;
}

/**
 * In the order of sending, since a refusal comes back sooner than an answer: of a hundred attempts sent at once, the
 * first to come back would all be refusals. An attempt without an outcome counts as not refused.
 */
export function createSendWindow(): SendWindow {
  const wasRefused = new Uint8Array(remembered);
  let sent = 0;
  let batch: Batch = { at: Number.NEGATIVE_INFINITY, last: 0 };
  /** The last one that does not count. */
  let before = 0;
  /** The last one that may have been refused by now. */
  let latest = 0;

  return {
    send(now) {
      if (now - batch.at > forgetMs) before = sent;
      if (now !== batch.at) batch = { at: now, last: sent };
      sent += 1;
      batch.last = sent;
      wasRefused[sent % remembered] = 0;
      return { number: sent, batch };
    },
    refuse({ number, batch: { last } }) {
      if (sent - number < remembered) wasRefused[number % remembered] = 1;
      latest = Math.max(latest, last);
      const first = Math.max(before, latest - lookback, sent - remembered) + 1;
      let refused = 0;
      for (let each = first; each <= latest; each += 1)
        refused += wasRefused[each % remembered] ?? 0;
      return { refused, attempts: Math.max(0, latest - first + 1) };
    },
    startOver() {
      before = sent;
    },
  };
}

/** Whether so many refusals of the last attempts speak of the target, and not of single calls. */
export function isTargetLimited({ refused, attempts }: RefusedShare): boolean {
  return refused >= leastRefusals && refused * 3 >= attempts;
}

/**
 * The fewest refusals of the last twenty attempts that come by chance less often than `chance`, where a `share` of all
 * attempts is refused anyway.
 */
export function unusualRefusals(share: number, chance: number): number {
  // The binomial distribution from its upper end.
  let least = lookback + 1;
  let probability = share ** lookback;
  let tail = 0;
  while (least > 1 && tail + probability < chance) {
    tail += probability;
    least -= 1;
    probability *= (least / (lookback - least + 1)) * ((1 - share) / share);
  }
  return least;
}

/** Number of attempts in the share: enough to be meaningful, few enough to react within a second or two. */
const lookback = 20;

/** Fewer rejections are chance, whatever their share. */
const minRejections = 3;

/** Earlier attempts no longer count after this long without an attempt. */
const forgetMs = 600_000;

/** Attempts kept: a vendor may reject one long after many more were sent. */
const remembered = 1_024;

/** Attempts sent at the same time (epoch milliseconds). */
type Batch = { readonly at: number; last: number };

/** An attempt that was sent. */
export type Sent = {
  /** Its position in the order of sending, from 1. */
  readonly number: number;
  readonly batch: Batch;
};

/** How many of the last attempts were rate limited. */
export type RejectedShare = {
  readonly rejected: number;
  /** 20, or fewer at the start. */
  readonly attempts: number;
};

/** The latest attempts in the order in which they were sent, and which of them the vendor rate-limited. */
export interface SendWindow {
  /** Counts an attempt that is sent at `now`. */
  send(now: number): Sent;
  /**
   * Records that the vendor rate-limited the attempt. Returns the share among the last twenty up to the latest
   * rate-limited one, because later ones may still be rejected.
   */
  rejected(sent: Sent): RejectedShare;
  /** Stops counting the attempts sent so far. */
  reset(): void;
}

/**
 * Ordered by sending, because a 429 arrives sooner than an answer: of 100 attempts sent at once, the first outcomes
 * would all be 429s. An attempt without an outcome counts as accepted.
 */
export function createSendWindow(): SendWindow {
  const isRejected = new Uint8Array(remembered);
  let sent = 0;
  let batch: Batch = { at: Number.NEGATIVE_INFINITY, last: 0 };
  /** Number of the last attempt that no longer counts. */
  let before = 0;
  /** Number of the last attempt that may have been rejected so far. */
  let latest = 0;

  return {
    send(now) {
      if (now - batch.at > forgetMs) before = sent;
      if (now !== batch.at) batch = { at: now, last: sent };
      sent += 1;
      batch.last = sent;
      isRejected[sent % remembered] = 0;
      return { number: sent, batch };
    },
    rejected({ number, batch: { last } }) {
      if (sent - number < remembered) isRejected[number % remembered] = 1;
      latest = Math.max(latest, last);
      const first = Math.max(before, latest - lookback, sent - remembered) + 1;
      let rejected = 0;
      for (let each = first; each <= latest; each += 1)
        rejected += isRejected[each % remembered] ?? 0;
      return { rejected, attempts: Math.max(0, latest - first + 1) };
    },
    reset() {
      before = sent;
    },
  };
}

/** Whether the share means that the target is limited, rather than single calls. */
export function isTargetLimited({ rejected, attempts }: RejectedShare): boolean {
  return rejected >= minRejections && rejected * 3 >= attempts;
}

/**
 * The smallest number of rejections among the last twenty attempts whose probability is below `chance`, when a `share`
 * of all attempts is usually rejected.
 */
export function unusualRejections(share: number, chance: number): number {
  // Sums the binomial distribution from its upper end.
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

/** A sum over the last `windowMs`, in constant memory. */
export interface SlidingWindow {
  add(amount: number, now: number): void;
  /** Changes the amount that was added at `at`, if that is still in the window. */
  correct(amount: number, at: number, now: number): void;
  /** The sum in the window. */
  total(now: number): number;
  /** The sum since `at`. */
  since(at: number, now: number): number;
  /** When the sum falls to `amount` if nothing is added. */
  fallsTo(amount: number, now: number): number;
}

/** Fine enough that the error for one minute is below 0.2 %. */
const slotMs = 100;

/**
 * Counts in slots of 100 ms. A slot counts until its end is `windowMs` ago, so the sum is never too low.
 */
export function createSlidingWindow(windowMs: number): SlidingWindow {
  const slots = new Float64Array(Math.ceil(windowMs / slotMs) + 1);
  let sum = 0;
  /** The number of the latest slot since 1970. */
  let latest = 0;
  const slotOf = (at: number): number => Math.floor(at / slotMs);
  const index = (slot: number): number => slot % slots.length;
  const oldest = (): number => Math.max(0, latest - slots.length + 1);

  /** Empties the slots that have left the window. */
  function expire(now: number): void {
    const slot = slotOf(now);
    if (slot - latest >= slots.length) {
      slots.fill(0);
      sum = 0;
      latest = slot;
    }
    while (latest < slot) {
      latest += 1;
      sum -= slots[index(latest)] ?? 0;
      slots[index(latest)] = 0;
    }
  }

  function count(amount: number, at: number): void {
    const slot = Math.min(latest, slotOf(at));
    if (slot < oldest()) return;
    const before = slots[index(slot)] ?? 0;
    const after = Math.max(0, before + amount);
    slots[index(slot)] = after;
    sum += after - before;
  }

  return {
    add(amount, now) {
      expire(now);
      count(amount, now);
    },
    correct(amount, at, now) {
      expire(now);
      count(amount, at);
    },
    total(now) {
      expire(now);
      return sum;
    },
    since(at, now) {
      expire(now);
      let counted = 0;
      for (let slot = Math.max(oldest(), slotOf(at)); slot <= latest; slot += 1) {
        counted += slots[index(slot)] ?? 0;
      }
      return counted;
    },
    fallsTo(amount, now) {
      expire(now);
      let left = sum;
      for (let slot = oldest(); left > amount && slot <= latest; slot += 1) {
        left -= slots[index(slot)] ?? 0;
        if (left <= amount) return (slot + slots.length) * slotMs;
      }
      return now;
    },
  };
}

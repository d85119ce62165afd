/** Attempts looked back on: enough to tell a share, few enough to react within a second or two. */
const lookback = 20;

/** Fewer refusals are chance, whatever their share. */
const leastRefusals = 3;

/** After so long without an attempt, what happened before says nothing any more. */
const forgetMs = 600_000;

/** The attempts that were sent last, in the order in which they were sent, and which of them were refused. */
export interface SendWindow {
  /** Counts an attempt that is sent now. Returns its number. */
  send(now: number): number;
  /** The vendor refused the attempt with that number; one sent before the last twenty does not count. */
  refuse(number: number): void;
  /** Whether the attempt with that number is one of the last twenty. */
  has(number: number): boolean;
  /** Refused of the last twenty. */
  refused(): number;
  /** The last twenty, or fewer at the beginning. */
  size(): number;
  /** Starts over: attempts sent so far do not count any more. */
  clear(): void;
}

/**
 * In the order of sending, since a refusal comes back sooner than an answer: of a hundred attempts sent at once, the
 * first to come back would all be refusals. An attempt without an outcome counts as not refused.
 *
 * `onOld` gets each attempt that is no longer one of the last twenty.
 */
export function createSendWindow(onOld: (wasRefused: boolean) => void = () => {}): SendWindow {
  /** The latest attempt is the lowest bit. */
  let bits = 0;
  let size = 0;
  let sent = 0;
  let lastAt = Number.NEGATIVE_INFINITY;
  const isRefused = (age: number): boolean => ((bits >>> age) & 1) === 1;

  function clear(): void {
    bits = 0;
    size = 0;
  }

  return {
    send(now) {
      if (now - lastAt > forgetMs) clear();
      lastAt = now;
      if (size === lookback) onOld(isRefused(lookback - 1));
      bits = (bits << 1) & (2 ** lookback - 1);
      size = Math.min(lookback, size + 1);
      sent += 1;
      return sent;
    },
    refuse(number) {
      const age = sent - number;
      if (age < size) bits |= 1 << age;
    },
    has: (number) => sent - number < size,
    refused() {
      let count = 0;
      for (let age = 0; age < size; age += 1) if (isRefused(age)) count += 1;
      return count;
    },
    size: () => size,
    clear,
  };
}

/** Whether so many refusals of the last attempts speak of the target, and not of single calls. */
export function isTargetLimited(refused: number, attempts: number): boolean {
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

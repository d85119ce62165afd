/** What was counted over the latest stretch of time, in memory of a fixed size. */
export interface SlidingWindow {
  add(amount: number, now: number): void;
  /** Changes what was counted at that time, if that still counts. */
  correct(amount: number, at: number, now: number): void;
  /** What counts now. */
  total(now: number): number;
  /** What was counted from that time on. */
  since(at: number, now: number): number;
  /** The first time at which no more than `amount` counts, if nothing is added. */
  fallsTo(amount: number, now: number): number;
}

/** Fine enough that a minute is told to a fifth of a percent. */
const slotMs = 100;

/**
 * Counts in slots of a tenth of a second. A slot counts until its end is `windowMs` ago, so that never less
 * is told than was counted.
 */
export function createSlidingWindow(windowMs: number): SlidingWindow {
  const slots = new Float64Array(Math.ceil(windowMs / slotMs) + 1);
  let sum = 0;
  /** The number of the latest slot since 1970. */
  let latest = 0;
  const slotOf = (at: number): number => Math.floor(at / slotMs);
  const index = (slot: number): number => slot % slots.length;
  const oldest = (): number => Math.max(0, latest - slots.length + 1);

  /** Empties the slots that the time has come round to. */
  function turn(now: number): void {
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
      turn(now);
      count(amount, now);
    },
    correct(amount, at, now) {
      turn(now);
      count(amount, at);
    },
    total(now) {
      turn(now);
      return sum;
    },
    since(at, now) {
      turn(now);
      let told = 0;
      for (let slot = Math.max(oldest(), slotOf(at)); slot <= latest; slot += 1) {
        told += slots[index(slot)] ?? 0;
      }
      return told;
    },
    fallsTo(amount, now) {
      turn(now);
      let left = sum;
      for (let slot = oldest(); left > amount && slot <= latest; slot += 1) {
        left -= slots[index(slot)] ?? 0;
        if (left <= amount) return (slot + slots.length) * slotMs;
      }
      return now;
    },
  };
}

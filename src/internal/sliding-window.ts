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

import { createRandom } from './virtual-time.ts';

/** Seeded random choices. */
export interface Dice {
  /** Returns true with this probability. */
  chance(probability: number): boolean;
  /** An integer from `low` to `high`, inclusive. */
  between(low: number, high: number): number;
  oneOf<Item>(items: readonly Item[]): Item;
  shuffled<Item>(items: readonly Item[]): Item[];
}

export function createDice(seed: number): Dice {
  const random = createRandom(seed);
  const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  return {
    chance: (probability) => random() < probability,
    between,
    oneOf(items) {
      const item = items[between(0, items.length - 1)];
      if (item === undefined) throw new RangeError('nothing to choose from');
      return item;
    },
    shuffled(items) {
      return items
        .map((item) => ({ item, at: random() }))
        .toSorted((a, b) => a.at - b.at)
        .map(({ item }) => item);
    },
  };
}

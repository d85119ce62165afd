import { describe, expect, it } from 'vitest';
import { mutations } from './mutations.ts';
import { seedsToFind } from './plant.ts';

/** Enough for common mutations; `npm run simulate -- --mutations` also runs the rare ones. */
const seedsForMutations = 100;

describe('the simulation finds a mutation of the engine', () => {
  it.each(mutations.filter(({ isRare }) => isRare !== true))(
    '$name',
    async (mutation) => {
      expect(await seedsToFind(mutation, seedsForMutations)).toBeDefined();
    },
    300_000,
  );
});

import { describe, expect, it } from 'vitest';
import { mutations } from './mutations.ts';
import { seedsToFind } from './plant.ts';

/** More than a common one needs; rare ones are planted by `npm run simulate -- --mutations`. */
const seedsForMutations = 300;

describe('a mistake in the engine is found by the simulation', () => {
  it.each(mutations.filter(({ isRare }) => isRare !== true))(
    '$name',
    async (mutation) => {
      expect(await seedsToFind(mutation, seedsForMutations)).toBeDefined();
    },
    120_000,
  );
});

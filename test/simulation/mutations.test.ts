import { describe, expect, it } from 'vitest';
import { mutations } from './mutations.ts';
import { seedsToFind } from './plant.ts';

/** More than any of them needs. */
const seedsForMutations = 4_000;

describe('a mistake in the engine is found by the simulation', () => {
  it.each(mutations)(
    '$name',
    async (mutation) => {
      expect(await seedsToFind(mutation, seedsForMutations)).toBeDefined();
    },
    120_000,
  );
});

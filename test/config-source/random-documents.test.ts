import { expect, it } from 'vitest';
import { followRandomDocuments } from '../simulation/config-documents.ts';
import { sampled } from '../support/sampled.ts';

const count = sampled(1_000, 250);

it('applies a document completely or not at all, and says where it is wrong', async () => {
  const { violations, accepted, refused } = await followRandomDocuments(1, count);
  expect(violations).toEqual([]);
  expect(accepted).toBeGreaterThan(0.2 * count);
  expect(refused).toBeGreaterThan(0.2 * count);
});

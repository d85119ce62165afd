import { expect, it } from 'vitest';
import { followRandomDocuments } from '../simulation/config-documents.ts';

it('applies a document completely or not at all, and says where it is wrong', async () => {
  const { violations, accepted, refused } = await followRandomDocuments(1, 1_000);
  expect(violations).toEqual([]);
  expect(accepted).toBeGreaterThan(200);
  expect(refused).toBeGreaterThan(200);
});

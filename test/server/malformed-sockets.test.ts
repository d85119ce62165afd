import { expect, it } from 'vitest';
import { sendMalformed } from './malformed-requests.ts';

it('refuses malformed requests clearly, and answers good ones after them', async () => {
  const { violations, counts } = await sendMalformed(1, 300);
  expect(violations, 'npm run simulate -- --requests 10000').toEqual([]);
  expect(counts.size).toBeGreaterThan(15);
}, 60_000);

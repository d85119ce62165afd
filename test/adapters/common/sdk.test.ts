import { expect, it } from 'vitest';
import { lazySdk } from '../../../src/adapters/common/sdk.ts';

it('loads an SDK once, and retries after a failure', async () => {
  let loads = 0;
  const load = lazySdk('sdk', async () => {
    loads += 1;
    if (loads === 1) throw new Error('there is no such package');
    return { loads };
  });
  await expect(load()).rejects.toMatchObject({
    code: 'config',
    message: 'cannot load the package "sdk"; install it: npm i sdk',
  });
  expect(await load()).toEqual({ loads: 2 });
  expect(await load()).toEqual({ loads: 2 });
});

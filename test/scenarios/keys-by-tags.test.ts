import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { anthropic } from '../../src/anthropic.ts';
import { mistral } from '../../src/compatible.ts';
import { isSignalboxError } from '../../src/errors.ts';
import { google } from '../../src/google.ts';
import { azureOpenAI, openai, openaiChat } from '../../src/openai.ts';
import type { Tags } from '../../src/protocol/completion.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { recordEvents } from '../../src/testing/record-events.ts';
import {
  type SimulatedProvider,
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';

type KeyFunction = (call: {
  readonly tags: Tags;
}) => string | undefined | Promise<string | undefined>;

const revokedKey = 'key-of-acme-revoked';

let simulators: SimulatedProviders;
beforeAll(async () => {
  const options = { badKeys: [revokedKey] };
  simulators = await simulateProviders({
    openai: options,
    anthropic: options,
    google: options,
    compatible: options,
  });
});
beforeEach(() => simulators.reset());
afterAll(() => simulators.close());

type Vendor = (
  all: SimulatedProviders,
  apiKey: KeyFunction,
) => { readonly simulator: SimulatedProvider; readonly provider: Provider };

const vendors: Record<string, Vendor> = {
  'openai()': ({ openai: simulator }, apiKey) => ({
    simulator,
    provider: openai({ apiKey, baseURL: simulator.baseURL }),
  }),
  'openaiChat()': ({ compatible: simulator }, apiKey) => ({
    simulator,
    provider: openaiChat({ apiKey, baseURL: simulator.baseURL }),
  }),
  'anthropic()': ({ anthropic: simulator }, apiKey) => ({
    simulator,
    provider: anthropic({ apiKey, baseURL: simulator.baseURL }),
  }),
  'google()': ({ google: simulator }, apiKey) => ({
    simulator,
    provider: google({ apiKey, baseURL: simulator.baseURL }),
  }),
  'mistral()': ({ compatible: simulator }, apiKey) => ({
    simulator,
    provider: mistral({ apiKey, baseURL: simulator.baseURL }),
  }),
  'azureOpenAI()': ({ openai: simulator }, apiKey) => ({
    simulator,
    provider: azureOpenAI({ apiKey, baseURL: simulator.baseURL.replace(/\/v1$/, '') }),
  }),
};

const kinds: Record<string, (find: KeyFunction) => KeyFunction> = {
  function: (find) => (call) => find(call),
  'async function': (find) => async (call) => find(call),
};
const cases = Object.keys(vendors).flatMap((vendor) =>
  Object.keys(kinds).map((kind) => [vendor, kind] as const),
);

describe.each(cases)('a key by tags for %s from an %s', (name, kind) => {
  const setUp = (find: KeyFunction) => {
    const vendor = vendors[name]?.(simulators, kinds[kind]?.(find) ?? find);
    if (vendor === undefined) throw new Error(`no vendor ${name}`);
    const router = createRouter({
      providers: { v: vendor.provider, spare: fakeProvider('spare') },
      tiers: { t: ['v/model', 'spare/m'], alone: ['v/model'] },
    });
    const keys = () => vendor.simulator.log.map(({ key }) => key);
    return { router, simulator: vendor.simulator, keys, events: recordEvents(router) };
  };
  const tagsOf = (customer: string) => ({ tags: { customer } });

  it('is sent for each customer, and the function gets frozen tags', async () => {
    const seen: Tags[] = [];
    const { router, keys } = setUp(({ tags }) => {
      seen.push(tags);
      return `key-of-${tags.customer}`;
    });
    await router.complete('t', 'hi', tagsOf('ann'));
    await router.complete('t', 'hi', tagsOf('bob'));
    expect(keys()).toEqual(['key-of-ann', 'key-of-bob']);
    expect(seen.every(Object.isFrozen)).toBe(true);
    expect(router.snapshot().targets['v/model']?.keysByTags).toEqual({ known: 2, unavailable: 0 });
    await router.close();
  });

  it('that was revoked fails for its customer only', async () => {
    const { router, keys, events } = setUp(({ tags }) =>
      tags.customer === 'acme' ? revokedKey : `key-of-${tags.customer}`,
    );
    const customers = Array.from({ length: 50 }, (_, index) => `customer-${index}`);
    const all = [...customers.slice(0, 25), 'acme', ...customers.slice(25), 'acme'];
    const answers = await Promise.all(
      all.map((customer) => router.complete('t', 'hi', tagsOf(customer))),
    );
    const later = await Promise.all(
      [...customers, 'acme'].map((customer) => router.complete('t', 'hi', tagsOf(customer))),
    );
    for (const { target, trail, tags } of [...answers, ...later]) {
      const isAcme = tags.customer === 'acme';
      expect(target).toBe(isAcme ? 'spare/m' : 'v/model');
      if (!isAcme) expect(trail).toHaveLength(1);
    }
    // Both concurrent calls of the customer sent it, and no later one.
    expect(keys().filter((key) => key === revokedKey)).toHaveLength(2);
    expect(events.of('credential-rejected').map(({ tags }) => tags)).toEqual([
      { customer: 'acme' },
      { customer: 'acme' },
    ]);
    expect(router.snapshot().targets['v/model']).toMatchObject({
      circuit: 'closed',
      unavailableUntil: {},
      keysByTags: { known: 51, unavailable: 1 },
    });
    expect(inspect([events.events, router.snapshot(), answers], { depth: 20 })).not.toMatch(
      /key-of-|revoked/,
    );
    await router.close();
  });

  it('is used at once when the customer replaced it', async () => {
    let key = revokedKey;
    const { router, keys } = setUp(() => key);
    expect((await router.complete('t', 'hi', tagsOf('acme'))).target).toBe('spare/m');
    expect(keys()).toEqual([revokedKey]);
    const error = await router.complete('alone', 'hi', tagsOf('acme')).catch((each) => each);
    expect(String(error)).toContain('still returns the one that was rejected');
    expect(keys()).toEqual([revokedKey]);
    key = 'key-of-acme';
    expect((await router.complete('t', 'hi', tagsOf('acme'))).target).toBe('v/model');
    await router.close();
  });

  it('is asked for again in the call in which it was rejected', async () => {
    const { router, keys } = setUp(() => (keys().length === 0 ? revokedKey : 'key-of-acme'));
    const { target, trail } = await router.complete('t', 'hi', tagsOf('acme'));
    expect(target).toBe('v/model');
    expect(trail.map(({ verdict }) => verdict)).toEqual(['retry', 'done']);
    expect(keys()).toEqual([revokedKey, 'key-of-acme']);
    await router.close();
  });

  it('that is limited, without quota or without permission holds back its customer only', async () => {
    const { router, simulator, keys } = setUp(({ tags }) => `key-of-${tags.customer}`);
    const statuses = { limited: 429, unpaid: 402, forbidden: 403 };
    for (const [customer, status] of Object.entries(statuses)) {
      simulator.fault(
        { type: 'status', status, ...(status === 429 && { retryAfterSeconds: 60 }) },
        { key: `key-of-${customer}` },
      );
    }
    for (const customer of Object.keys(statuses)) {
      for (let each = 0; each < 5; each++) {
        expect((await router.complete('t', 'hi', tagsOf(customer))).target).toBe('spare/m');
      }
      expect((await router.complete('t', 'hi', tagsOf('ann'))).trail).toMatchObject([
        { target: 'v/model' },
      ]);
    }
    expect(keys().filter((key) => key === 'key-of-forbidden')).toHaveLength(1);
    expect(router.snapshot().targets['v/model']?.circuit).toBe('closed');
    await router.close();
  });

  it('that is missing is an error with the setting and the names of the tags, of this call only', async () => {
    const { router } = setUp(({ tags }) => (tags.customer === 'ann' ? 'key-of-ann' : undefined));
    const tags = { customer: 'secret-customer', plan: 'free' };
    const error: unknown = await router.complete('alone', 'hi', { tags }).catch((each) => each);
    if (!isSignalboxError(error, 'all_targets_failed')) throw error;
    expect(error.errors).toMatchObject([{ code: 'auth', target: 'v/model' }]);
    const setting = `${name.replace('()', '')}().apiKey`;
    expect(error.message).toContain(
      `v/model: ${setting}: the function returned no key for a call with the tags customer, plan`,
    );
    expect(error.message).not.toContain('secret-customer');
    expect((await router.complete('t', 'hi', { tags })).target).toBe('spare/m');
    expect((await router.complete('t', 'hi', tagsOf('ann'))).target).toBe('v/model');
    await router.close();
  });

  it('is not in the message when its function throws it', async () => {
    const { router } = setUp(({ tags }) => {
      if (tags.customer === 'ann') return 'key-of-ann';
      throw new Error('cannot decrypt key-of-bob');
    });
    const error = await router.complete('alone', 'hi', tagsOf('bob')).catch((each) => each);
    expect(error.errors).toMatchObject([{ code: 'auth', target: 'v/model' }]);
    expect(error.message).toContain('apiKey: the function threw');
    expect(error.message).not.toContain('key-of-bob');
    expect((await router.complete('t', 'hi', tagsOf('ann'))).target).toBe('v/model');
    await router.close();
  });
});

describe('a function for the key', () => {
  it('must declare a parameter to read tags', async () => {
    const apiKey: KeyFunction = (...[call]) => `key-of-${call?.tags.customer}`;
    const provider = openai({ apiKey, baseURL: simulators.openai.baseURL });
    const router = createRouter({ providers: { v: provider }, tiers: { t: ['v/m'] } });
    await expect(router.complete('t', 'hi')).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('declares no parameter; write ({ tags }) => …'),
    });
    await router.close();
  });

  it('of tags cannot be one key of a pool', () => {
    const apiKey = ['k', ({ tags }: { tags: Tags }) => String(tags.customer)];
    expect(() => openai({ apiKey: apiKey as never })).toThrow(
      'openai().apiKey: must be a string, a function that returns one, or a non-empty list of strings and functions without parameters',
    );
  });

  it('cannot be set together with a client', () => {
    const client = { responses: {}, chat: {}, withOptions: () => client };
    const settings = { client, apiKey: ({ tags }: { tags: Tags }) => String(tags.customer) };
    expect(() => openai(settings as never)).toThrow(
      'openai().apiKey: cannot be set together with client, which has its own',
    );
  });

  it('is not called when a header has the credential', async () => {
    const provider = openai({
      apiKey: ({ tags }) => tags.customer,
      headers: { authorization: 'Bearer fixed' },
      baseURL: simulators.openai.baseURL,
    });
    const router = createRouter({ providers: { v: provider }, tiers: { t: ['v/m'] } });
    await router.complete('t', 'hi');
    expect(simulators.openai.log.map(({ key }) => key)).toEqual(['fixed']);
    await router.close();
  });
});

it('pays embeddings and images of a customer with the key of the customer', async () => {
  const { baseURL } = simulators.openai;
  const provider = openai({ apiKey: ({ tags }) => `key-of-${tags.customer}`, baseURL });
  const router = createRouter({ providers: { v: provider }, tiers: { t: ['v/gpt-image-1'] } });
  await router.embed('t', ['a', 'b'], { tags: { customer: 'ann' } });
  await router.image('t', 'a cat', { tags: { customer: 'bob' } });
  expect(simulators.openai.log.map(({ key }) => key)).toEqual(['key-of-ann', 'key-of-bob']);
  await router.close();
});

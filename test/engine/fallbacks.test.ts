import { describe, expect, it } from 'vitest';
import type { TierObject } from '../../src/protocol/config.ts';
import type { RouterEvents } from '../../src/protocol/events.ts';
import type { Plugin } from '../../src/protocol/plugin.ts';
import { createRouter } from '../../src/router.ts';
import { type FakeScript, fakeProvider } from '../../src/testing/fake-provider.ts';
import { fakeRuntime } from '../../src/testing/fake-runtime.ts';

type Name = 'a' | 'b' | 'c' | 'd';

/** Providers `a` to `d`, which answer with their names unless a script says otherwise. The tier's targets are a and b. */
function setUp(
  scripts: Partial<Record<Name, FakeScript>>,
  tier: Partial<TierObject<Name, 't'>>,
  plugins: readonly Plugin[] = [],
) {
  const runtime = fakeRuntime({ time: 'auto' });
  const fake = (name: Name) => fakeProvider(scripts[name] ?? name, { runtime });
  const providers = { a: fake('a'), b: fake('b'), c: fake('c'), d: fake('d') };
  const t: TierObject<Name, 't'> = { targets: ['a/m', 'b/m'], retry: { attempts: 0 }, ...tier };
  const router = createRouter({ runtime, plugins, providers, tiers: { t } });
  const failovers: RouterEvents['failover'][] = [];
  router.on('failover', (event) => failovers.push(event));
  const ask = () => router.complete('t', 'hi');
  const tried = (trail: readonly { target: string; outcome: string }[]) =>
    trail.map(({ target, outcome }) => `${target} ${outcome}`);
  return { router, providers, failovers, ask, tried };
}

const filtered: FakeScript = { error: 'content_filter' };
const broken: FakeScript = { error: 'server_error' };

describe('fallbacks by error code', () => {
  it('tries the listed targets after a failure that would stop the call', async () => {
    const { ask, tried, failovers } = setUp(
      { a: filtered },
      { fallbacks: { content_filter: ['c/m', 'd/m'] } },
    );
    const { text, trail } = await ask();
    expect(text).toBe('c');
    expect(tried(trail)).toEqual(['a/m error', 'c/m ok']);
    expect(trail[0]).toMatchObject({ verdict: 'next', error: { code: 'content_filter' } });
    expect(failovers).toMatchObject([
      { from: 'a/m', to: 'c/m', error: { code: 'content_filter' } },
    ]);
  });

  it('tries them in order, and fails with the code when the last one fails with it', async () => {
    const { ask } = setUp(
      { a: filtered, c: filtered, d: filtered },
      { fallbacks: { content_filter: ['d/m', 'c/m'] } },
    );
    const error = await ask().catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'content_filter',
      trail: [{ target: 'a/m' }, { target: 'd/m' }, { target: 'c/m', verdict: 'stop' }],
    });
  });

  it('sends a filtered prompt to no other target, whatever the listed ones fail with', async () => {
    const { ask, providers } = setUp(
      { a: filtered, c: broken },
      { fallbacks: { content_filter: ['c/m'] } },
    );
    const error = await ask().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'all_targets_failed' });
    expect(String(error)).toContain('b/m: passed over, only the fallbacks for content_filter may');
    expect(providers.b.calls).toHaveLength(0);
  });

  it('tries the rest of the tier too when fallbackOn has the code', async () => {
    const { ask, tried } = setUp(
      { a: filtered, c: filtered },
      { fallbackOn: ['content_filter'], fallbacks: { content_filter: ['c/m'] } },
    );
    expect(tried((await ask()).trail)).toEqual(['a/m error', 'c/m error', 'b/m ok']);
  });

  it('lets a call wait for a target whose limit is used up, although a fallback is free', async () => {
    const { ask } = setUp(
      { a: { text: 'a', firstTokenDelayMs: 50 } },
      {
        targets: [{ target: 'a/m', limits: { concurrency: 1 } }],
        fallbacks: { rate_limited: ['c/m'] },
      },
    );
    const answers = await Promise.all([ask(), ask()]);
    expect(answers.map(({ text }) => text)).toEqual(['a', 'a']);
  });

  it('treats an answer that was filtered as a failure', async () => {
    const { ask } = setUp(
      { a: { text: 'I', finishReason: 'content_filter' } },
      { fallbacks: { content_filter: ['c/m'] } },
    );
    expect((await ask()).text).toBe('c');
  });

  it('tries the listed targets before others with a larger window', async () => {
    const { ask, tried } = setUp(
      { a: { error: 'context_length' }, d: { error: 'context_length' } },
      {
        targets: [
          { target: 'a/m', contextWindow: 1_000 },
          { target: 'b/m', contextWindow: 5_000 },
          { target: 'd/m', contextWindow: 2_000 },
          { target: 'c/m', contextWindow: 500 },
        ],
        fallbacks: { context_length: ['c/m', 'd/m'] },
      },
    );
    const { text, trail } = await ask();
    expect(text).toBe('b');
    expect(tried(trail)).toEqual(['a/m error', 'c/m skipped', 'd/m error', 'b/m ok']);
    expect(trail[1]).toMatchObject({ reason: 'its context window is no larger' });
  });

  it('keeps the order of the tier after other failures', async () => {
    const { ask, tried } = setUp({ a: broken }, { fallbacks: { content_filter: ['c/m'] } });
    expect(tried((await ask()).trail)).toEqual(['a/m error', 'b/m ok']);
  });

  it('counts a listed target as another one that is available', async () => {
    const { ask, tried } = setUp(
      { a: broken },
      { targets: ['a/m'], retry: {}, maxAttempts: 2, fallbacks: { server_error: ['c/m'] } },
    );
    expect(tried((await ask()).trail)).toEqual(['a/m error', 'c/m ok']);
    const alone = setUp(
      { a: broken },
      { targets: ['a/m'], retry: {}, fallbacks: { server_error: ['c/m'] } },
    );
    const { trail } = await alone.ask();
    expect(tried(trail)).toEqual(['a/m error', 'a/m error', 'c/m ok']);
  });

  it('counts the attempts of listed targets', async () => {
    const { ask, providers } = setUp(
      { a: filtered, c: filtered },
      { maxAttempts: 2, fallbacks: { content_filter: ['c/m', 'd/m'] } },
    );
    await expect(ask()).rejects.toMatchObject({ code: 'content_filter' });
    expect(providers.d.calls).toHaveLength(0);
  });

  it('skips a listed target that a plugin excludes, once in the trail', async () => {
    const plugin: Plugin = {
      name: 'only',
      eligible: ({ target }) => (target === 'c/m' ? 'not here' : true),
    };
    const { ask, providers } = setUp(
      { a: filtered, b: filtered },
      { fallbacks: { content_filter: ['c/m', 'b/m', 'd/m'] } },
      [plugin],
    );
    const { text, trail } = await ask();
    expect(text).toBe('d');
    expect(trail.filter(({ target }) => target === 'c/m')).toMatchObject([{ outcome: 'skipped' }]);
    expect(providers.c.calls).toHaveLength(0);
  });

  it('stops when a plugin excludes all of them', async () => {
    const { ask } = setUp({ a: filtered }, { fallbacks: { content_filter: ['c/m'] } }, [
      { name: 'none', eligible: ({ target }) => (target === 'c/m' ? 'not here' : true) },
    ]);
    await expect(ask()).rejects.toMatchObject({ code: 'content_filter' });
  });

  it('does not send to a listed target whose circuit is open', async () => {
    const { ask, providers } = setUp(
      { a: filtered, c: broken },
      { circuit: { consecutiveFailures: 1 }, fallbacks: { content_filter: ['c/m'] } },
    );
    await expect(ask()).rejects.toMatchObject({ code: 'all_targets_failed' });
    await expect(ask()).rejects.toMatchObject({ code: 'content_filter' });
    expect(providers.c.calls).toHaveLength(1);
  });

  it('shows listed targets in the snapshot, and can isolate them', async () => {
    const { router, ask } = setUp({ a: filtered }, { fallbacks: { content_filter: ['c/m'] } });
    router.isolate('c/m');
    await expect(ask()).rejects.toMatchObject({ code: 'content_filter' });
    expect(router.snapshot().targets['c/m']).toMatchObject({ isolated: true });
  });

  it('keeps what is known of a listed target when the router is reconfigured', async () => {
    const { router, ask } = setUp(
      { a: filtered, c: broken },
      { circuit: { consecutiveFailures: 1 }, fallbacks: { content_filter: ['c/m'] } },
    );
    await expect(ask()).rejects.toMatchObject({ code: 'all_targets_failed' });
    router.reconfigure({ tiers: { t: { targets: ['a/m'], fallbacks: { refusal: ['c/m'] } } } });
    expect(router.snapshot().targets['c/m']?.circuit).toBe('open');
  });

  it('keeps the settings of a target that the tier lists too', async () => {
    const { ask, providers } = setUp(
      { a: filtered },
      {
        targets: ['a/m', 'b/m', { target: 'c/m', temperature: 0.3 }],
        temperature: 0.7,
        fallbacks: { content_filter: ['d/m', 'c/m'] },
      },
    );
    await ask();
    expect(providers.d.calls[0]?.request.temperature).toBe(0.7);
    const other = setUp(
      { a: filtered, d: filtered },
      {
        targets: ['a/m', 'b/m', { target: 'c/m', temperature: 0.3 }],
        fallbacks: { content_filter: ['d/m', 'c/m'] },
      },
    );
    await other.ask();
    expect(other.providers.c.calls[0]?.request.temperature).toBe(0.3);
  });

  it('fails over a stream whose prompt was rejected', async () => {
    const { router } = setUp({ a: filtered }, { fallbacks: { content_filter: ['c/m'] } });
    expect((await router.stream('t', 'hi').completion).text).toBe('c');
  });
});

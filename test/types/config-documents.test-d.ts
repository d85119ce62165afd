import { fileSource, type LoadedConfig, loadConfig } from '../../src/config.ts';
import { type ConfigSource, createRouter, type Following, type Router } from '../../src/index.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { type Equal, expectType } from './expect-type.ts';
import data from './routing.json' with { type: 'json' };

const providers = { openai: fakeProvider(), anthropic: fakeProvider() };
type Providers = keyof typeof providers;

// Tier names are those of `tiers`.
const loaded = await loadConfig('routing.yaml', { tiers: ['fast', 'careful'] });
expectType<Equal<typeof loaded, LoadedConfig<'fast' | 'careful'>>>(true);
const router = createRouter({ providers, ...loaded });
expectType<Equal<typeof router, Router<'fast' | 'careful', Providers>>>(true);
router.reconfigure(await loadConfig('routing.yaml', { tiers: ['fast', 'careful'] }));
// @ts-expect-error
await router.complete('fats', 'hi');

// Without `tiers`, they are any names.
const anyTier = createRouter({ providers, ...(await loadConfig('routing.yaml')) });
expectType<Equal<typeof anyTier, Router<string, Providers>>>(true);
const parsed = await loadConfig({ text: '{}', format: 'json' });
expectType<Equal<typeof parsed, LoadedConfig<string>>>(true);
// @ts-expect-error
await loadConfig({ text: '{}', format: 'toml' });

// The names in a JSON import.
const imported = createRouter({ providers, ...(await loadConfig({ data })) });
expectType<Equal<typeof imported, Router<'fast' | 'careful', Providers>>>(true);
// @ts-expect-error
await imported.complete('fats', 'hi');
const some = await loadConfig({ data }, { tiers: ['fast'] });
expectType<Equal<typeof some, LoadedConfig<'fast'>>>(true);
const unknown = await loadConfig({ data: JSON.parse('{}') as object });
expectType<Equal<typeof unknown, LoadedConfig<string>>>(true);

// Strategies of your own are checked at run time.
const strategies = { mine: { order: <Each>(candidates: readonly Each[]) => candidates } };
createRouter({ providers, strategies, ...loaded });

// Sources.
const source = fileSource('routing.yaml', { everyMs: 1_000 });
expectType<Equal<typeof source, ConfigSource>>(true);
const following = router.follow(source, { allowRemoval: true, only: 'prices' });
expectType<Equal<typeof following, Promise<Following>>>(true);
// @ts-expect-error
void router.follow(source, { allowRemovals: true });
router.on('config-rejected', ({ problems }) => {
  expectType<Equal<(typeof problems)[number]['line'], number | undefined>>(true);
});

import { stringify } from 'yaml';
import { parseDocument } from '../../src/apps/config-source/parse-document.ts';
import { loadConfig } from '../../src/config.ts';
import { isSignalboxError } from '../../src/errors.ts';
import type { ConfigSourceContext, Router } from '../../src/index.ts';
import { createRouter } from '../../src/router.ts';
import { systemRuntime } from '../../src/runtime.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { createDice, type Dice } from './dice.ts';

type Data = Record<string, unknown>;

const tierNames = ['fast', 'careful', 'cheap'] as const;
const providers = { openai: fakeProvider(), anthropic: fakeProvider() };
/** Without chance, so that two routers with the same configuration behave the same. */
const runtime = { ...systemRuntime, random: () => 0.5 };
const created = { tiers: { fast: ['openai/m'], careful: ['anthropic/m'] } } as const;

/** Values that stand where others are expected. */
const junk: readonly unknown[] = [
  null,
  true,
  -1,
  1e308,
  '',
  'x',
  'sk-proj-abcdefghijklmnop',
  [],
  [[]],
  {},
  { a: { b: {} } },
  'constructor',
];

/** Text that is hostile to parsers. */
const fragments: readonly string[] = [
  '\0',
  '\uFEFF',
  '\uD800',
  '[[[[[[[[',
  '{{{{',
  '}',
  ']',
  '"',
  "'",
  '\t',
  '\n---\n',
  '\n...\n',
  '&a ',
  '*a',
  '<<: ',
  '!!binary ',
  '? ',
  '| ',
  '\n__proto__: {}\n',
  '"__proto__": {},',
  '%YAML 1.1\n---\n',
  '1: ',
  '\r',
  '\u2028',
  ',',
  ':',
  '['.repeat(3_000),
  '- '.repeat(3_000),
  `a: &a [${'x,'.repeat(50)}]\nb: &b [${'*a,'.repeat(50)}]\nc: &c [${'*b,'.repeat(50)}]\n`,
];

function targetOf(dice: Dice): unknown {
  const id = `${dice.oneOf(['openai', 'anthropic'])}/m${dice.between(1, 4)}`;
  if (dice.chance(0.5)) return id;
  return {
    target: id,
    ...(dice.chance(0.5) && { maxOutputTokens: dice.between(1, 900) }),
    ...(dice.chance(0.3) && { weight: dice.between(0, 3) }),
    ...(dice.chance(0.3) && { prices: { input: 1, output: dice.between(1, 9) } }),
  };
}

function tierOf(dice: Dice): unknown {
  const targets = Array.from({ length: dice.between(1, 4) }, () => targetOf(dice));
  if (dice.chance(0.4)) return targets;
  return {
    targets,
    ...(dice.chance(0.3) && { strategy: dice.oneOf(['cheapest', 'weighted', 'fastest']) }),
    ...(dice.chance(0.3) && { fallbackTier: dice.oneOf(tierNames) }),
    ...(dice.chance(0.3) && { timeouts: { totalMs: dice.between(1, 90_000) } }),
    ...(dice.chance(0.3) && { retry: { attempts: dice.between(0, 3) } }),
  };
}

function validData(dice: Dice): Data {
  const names = dice.chance(0.9) ? tierNames.slice(0, dice.between(2, 3)) : ['cheap'];
  return {
    tiers: Object.fromEntries(names.map((name) => [name, tierOf(dice)])),
    ...(dice.chance(0.4) && { defaults: { system: 'Be brief.\nAnd "kind".', temperature: 0.5 } }),
    ...(dice.chance(0.4) && { tags: { team: dice.oneOf(['a', 'b']) } }),
    ...(dice.chance(0.3) && { prices: { 'openai/m1': { input: 1, output: 2 } } }),
    ...(dice.chance(0.3) && { providerLimits: { openai: { rpm: dice.between(1, 99) } } }),
    ...(dice.chance(0.2) && { pricesDate: '2026-11-30' }),
  };
}

/** Breaks one field, at any depth. */
function breakField(data: Data, dice: Dice): void {
  let container: Data = data;
  for (;;) {
    const keys = Object.keys(container);
    if (keys.length === 0) return;
    const key = dice.oneOf(keys);
    const value = container[key];
    if (typeof value === 'object' && value !== null && dice.chance(0.7)) {
      container = value as Data;
      continue;
    }
    if (dice.chance(0.3)) Reflect.deleteProperty(container, key);
    else if (dice.chance(0.4)) container[dice.oneOf([`${key}s`, 'constructor', 'x y'])] = value;
    else container[key] = dice.oneOf(junk);
    return;
  }
}

/** Breaks the text at a random place. */
function breakText(text: string, dice: Dice): string {
  const at = dice.between(0, text.length);
  if (dice.chance(0.3)) return text.slice(0, at);
  if (dice.chance(0.3)) return text.slice(0, at) + text.slice(at + dice.between(1, 20));
  if (dice.chance(0.2)) return text + text.slice(at);
  return text.slice(0, at) + dice.oneOf(fragments) + text.slice(at);
}

/** A document that may be valid, broken or hostile. */
function randomDocument(dice: Dice) {
  const data = validData(dice);
  const format = dice.oneOf(['yaml', 'json'] as const);
  if (dice.chance(0.5))
    for (let each = dice.between(1, 3); each > 0; each--) breakField(data, dice);
  let text = format === 'json' ? JSON.stringify(data, null, dice.between(0, 2)) : stringify(data);
  if (dice.chance(0.4))
    for (let each = dice.between(1, 3); each > 0; each--) text = breakText(text, dice);
  return { text, format } as const;
}

/** Everything that a configuration decides, as far as it shows from outside. */
async function behaviourOf(router: Router): Promise<string> {
  const plans = await Promise.all(
    tierNames.map((tier) => router.explain(tier, 'hi').catch(() => 'no tier')),
  );
  const { targets, pricesDate } = router.snapshot();
  return JSON.stringify([plans, Object.keys(targets), pricesDate]);
}

/** Whether it lacks a tier of the first configuration. */
async function removesTier(router: Router): Promise<boolean> {
  const plans = Object.keys(created.tiers).map((tier) => router.explain(tier, 'hi'));
  return Promise.all(plans).then(
    () => false,
    () => true,
  );
}

/** What is wrong with an error about a document. */
function flawsOf(error: unknown): readonly string[] {
  if (!isSignalboxError(error, 'config')) {
    return [`it failed with ${error instanceof Error ? error.stack : String(error)}`];
  }
  const { problems = [] } = error;
  if (problems.length === 0) return ['the error lists no problem'];
  return problems
    .filter(({ path, line = 0, column = 0 }) => path === '' || line < 1 || column < 1)
    .map(({ path, message }) => `the problem "${path}: ${message}" has no path or line`);
}

type Result = { readonly router: Router } | { readonly error: unknown };

/** A new router with this document. */
async function routerOf(document: ReturnType<typeof randomDocument>): Promise<Result> {
  try {
    return { router: createRouter({ runtime, providers, ...(await loadConfig(document)) }) };
  } catch (error) {
    return { error };
  }
}

export type DocumentReport = {
  readonly violations: readonly string[];
  readonly accepted: number;
  readonly refused: number;
};

/**
 * Lets one router follow `count` random documents. Each must be applied completely or refused without effect, with errors
 * that have a path and a line.
 */
export async function followRandomDocuments(from: number, count: number): Promise<DocumentReport> {
  const router: Router = createRouter({ runtime, providers, ...created });
  const opened = Promise.withResolvers<ConfigSourceContext>();
  await router.follow({
    name: 'random',
    async run(context) {
      context.deliver(created);
      opened.resolve(context);
    },
  });
  const source = await opened.promise;
  const refusals: unknown[] = [];
  router.on('config-rejected', (event) => refusals.push(event));
  const violations: string[] = [];
  let accepted = 0;
  for (let seed = from; seed < from + count; seed++) {
    const document = randomDocument(createDice(seed));
    const violated = (what: string): void => {
      violations.push(`document ${seed}: ${what}`);
    };
    const before = await behaviourOf(router);
    const fresh = await routerOf(document);
    if ('error' in fresh) for (const flaw of flawsOf(fresh.error)) violated(flaw);
    refusals.length = 0;
    try {
      source.deliver(await parseDocument(document));
    } catch (error) {
      source.fail(error);
    }
    const after = await behaviourOf(router);
    const expected = 'router' in fresh ? await behaviourOf(fresh.router) : before;
    // Reported once if the document before it removed the same tier.
    const isRemoval = 'router' in fresh && (await removesTier(fresh.router));
    if (after === expected) accepted += 'router' in fresh ? 1 : 0;
    else if (after !== before) violated('it was applied in part');
    else if (refusals.length === 0 && !isRemoval) violated('it was neither applied nor refused');
    if ('router' in fresh) await fresh.router.close();
  }
  await router.close();
  return { violations, accepted, refused: count - accepted };
}

/**
 * One decision: five rules, who may serve the call, and the order of the strategy. CPU time in µs at 10 and at 100 targets,
 * beside a sort by list price in the same run: `npm run bench:decision`. Medians of seven rounds.
 */
import { resolveConfig } from '../src/config/resolve.ts';
import { Calls } from '../src/engine/call/calls.ts';
import { routeByRule } from '../src/engine/call/route-by-rule.ts';
import { planCall } from '../src/engine/chain/plan-call.ts';
import { type Call, type Engine, pricedTarget } from '../src/engine/core/engine.ts';
import { Configuration } from '../src/engine/inspect/configuration.ts';
import { createEngine } from '../src/engine/inspect/create-engine.ts';
import type { BuiltInStrategy, Provider, Rule } from '../src/index.ts';
import { systemRuntime } from '../src/runtime.ts';
import { createEmitter } from '../src/telemetry/emitter.ts';
import { argumentsOf, median, medianRatio } from './measure.ts';

const rounds = 7;
const { decisions: count = '2000', profile } = argumentsOf();
const decisions = Number(count);

const strategies: readonly BuiltInStrategy[] = [
  'priority',
  'weighted',
  'round-robin',
  'least-busy',
  'cheapest',
  'fastest',
  'balanced',
];

/** None matches, so that all are asked. */
const rules: readonly Rule<'p', 'list' | BuiltInStrategy>[] = [
  { name: 'plan', when: { tags: { plan: 'paid' } }, use: 'list' },
  { name: 'long', when: { inputTokens: { above: 50_000 } }, use: 'list' },
  { name: 'images', when: { images: true }, use: 'list' },
  { name: 'objects', when: { schema: true }, use: 'list' },
  { name: 'never', when: { weekdays: ['mon'], hours: '00:00-00:01' }, use: 'list' },
];

const provider: Provider = {
  wire: 'none',
  capabilities: () => new Set(),
  preload: async () => undefined,
  prepare: () => {
    throw new Error('nothing is sent');
  },
};

type Setting = { readonly engine: Engine; readonly calls: ReadonlyMap<string, Call> };

/** A router of so many targets, with what it has learned of them, and one call of each strategy. */
function settingOf(size: number): Setting {
  const runtime = systemRuntime;
  const providers = new Map([['p', provider]]);
  const engine = createEngine(
    runtime,
    providers,
    createEmitter(runtime.now, () => ({})),
  );
  const targets = Array.from({ length: size }, (_, at) => `p/m${at}` as const);
  const tiers = Object.fromEntries(
    [...strategies, 'list'].map((name) => [
      name,
      { targets, strategy: name === 'list' ? 'priority' : (name as BuiltInStrategy) },
    ]),
  );
  const prices = Object.fromEntries(
    targets.map((target, at) => [target, { input: 1 + ((at * 7) % 13), output: 1 + at }]),
  );
  const known = { providers: ['p'], strategies: new Map() };
  const config = resolveConfig({ tiers, prices, rules }, known, []);
  new Configuration(engine, known, config);
  for (const [at, target] of targets.entries()) {
    for (let answer = 0; answer < 20; answer++) {
      const firstTokenMs = 100 + ((at * 37 + answer * 11) % 400);
      const totalMs = firstTokenMs + 1_000;
      engine.registry
        .target(target)
        .record({ outcome: 'ok', firstTokenMs, totalMs, outputTokens: 200 });
    }
  }
  const calls = new Calls(engine, () => undefined);
  const context = { config, plugins: [] };
  const prompt =
    'Summarize the following paragraph in one sentence, please, and keep all the numbers.';
  const options = { tags: { plan: 'free', team: 'search' }, system: 'You are brief.' };
  return {
    engine,
    calls: new Map(
      strategies.map((name) => [name, calls.openChat(context, 'complete', name, prompt, options)]),
    ),
  };
}

/** The call with a request of its own, as each call has one: the estimate of its tokens is kept by it. */
function fresh(call: Call): Call {
  const { task } = call;
  const { messages, request } = task;
  return { ...call, task: { ...task, messages: [...messages], request: { ...request } } };
}

function decide(engine: Engine, call: Call): unknown {
  const { config, called, tags, task, options } = call;
  const routed = routeByRule(
    config,
    { called, tags, task, system: options.system },
    engine.runtime,
  );
  return [routed, planCall(engine, call)];
}

/** What routers do today: the targets by list price, looked up for each call. */
function sortByListPrice(engine: Engine, { tier }: Call): unknown {
  return tier.targets
    .map((target) => {
      const price = engine.pricing.standardPrice(pricedTarget(engine, target));
      return { target, price: (price?.input ?? 0) + (price?.output ?? 0) };
    })
    .sort((a, b) => a.price - b.price);
}

/** Calls that are made before their decisions are measured. */
const batch = 50;

/** CPU time of one, in microseconds. */
function cpuEach(call: Call, run: (call: Call) => unknown): number {
  let total = 0;
  for (let done = 0; done < decisions; done += batch) {
    const calls = Array.from({ length: batch }, () => fresh(call));
    const before = process.cpuUsage();
    for (const each of calls) run(each);
    const { user, system } = process.cpuUsage(before);
    total += user + system;
  }
  return total / decisions;
}

type Row = { readonly control: number[]; readonly mine: number[] };

const settings = [10, 100].map((size) => [size, settingOf(size)] as const);
const rows = new Map<string, Row>();
for (let round = -2; round < rounds; round++) {
  for (const [size, { engine, calls }] of settings) {
    for (const [name, call] of calls) {
      if (profile !== undefined && profile !== `${name}-${size}`) continue;
      const control = cpuEach(call, (each) => sortByListPrice(engine, each));
      const mine = cpuEach(call, (each) => decide(engine, each));
      // The first rounds warm up.
      if (round < 0) continue;
      const key = `${name} ${size}`;
      const row = rows.get(key) ?? { control: [], mine: [] };
      row.control.push(control);
      row.mine.push(mine);
      rows.set(key, row);
    }
  }
}
console.table(
  strategies.map((strategy) => {
    const [ten, hundred] = [10, 100].map((size) => rows.get(`${strategy} ${size}`));
    if (ten === undefined || hundred === undefined) return { strategy };
    return {
      strategy,
      'us at 10': median(ten.mine).toFixed(1),
      'to list-price sort at 10': medianRatio(ten.mine, ten.control).toFixed(1),
      'us at 100': median(hundred.mine).toFixed(1),
      'to list-price sort at 100': medianRatio(hundred.mine, hundred.control).toFixed(1),
      'us at 100 / 10': medianRatio(hundred.mine, ten.mine).toFixed(1),
    };
  }),
);

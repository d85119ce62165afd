import type { BudgetSettings, Plugin, RouterEvent, TargetId } from '../../src/index.ts';
import type { Dice } from './dice.ts';
import type { Policy } from './policies.ts';
import type { World } from './world.ts';

type BudgetPeriod = BudgetSettings['per'];

/** The budgets of a configuration, by name. */
export type Budgets = Readonly<Record<string, BudgetSettings>>;

/** What a call has to do with money, besides its plan. */
type Payer = {
  readonly tags: Readonly<Record<string, string>>;
  readonly maxUsd: number | undefined;
  readonly isEmbedding: boolean;
};

/** The money of a world. */
export type BudgetPlan = {
  /** Epoch milliseconds. */
  readonly beganAt: number;
  readonly turn: Turn;
  /** At first, and after `changeAtMs`. */
  readonly budgets: Budgets;
  readonly later: Budgets;
  readonly changeAtMs: number | undefined;
  /** How long the store takes before and after each operation; `undefined` when it answers at once. */
  readonly storeMs: number | undefined;
  readonly maxOutputTokens: number | undefined;
  readonly unpriced: ReadonlySet<string>;
  /** By the number of the call. */
  readonly payers: ReadonlyMap<number, Payer>;
  /** When a plugin asks another tier. */
  readonly asks: 'before' | 'meanwhile' | undefined;
  readonly drillAtMs: number | undefined;
};

/** The boundaries of the windows of a period, by the calendar. The clock of a world stands near `near`. */
type Turn = {
  readonly per: Exclude<BudgetPeriod, 'minute'>;
  readonly timeZone: string;
  readonly boundaries: readonly string[];
  readonly near: string;
};

/** Ends of days and months, and changes of clocks, written down instead of computed. */
const turns: readonly Turn[] = [
  {
    per: 'day',
    timeZone: 'UTC',
    boundaries: ['2026-01-01T00:00Z', '2026-01-02T00:00Z', '2026-01-03T00:00Z'],
    near: '2026-01-02T00:00Z',
  },
  {
    // A day of 23 hours.
    per: 'day',
    timeZone: 'Europe/Berlin',
    boundaries: ['2026-03-28T23:00Z', '2026-03-29T22:00Z', '2026-03-30T22:00Z'],
    near: '2026-03-29T22:00Z',
  },
  {
    // A day of 25 hours.
    per: 'day',
    timeZone: 'Europe/Berlin',
    boundaries: ['2026-10-24T22:00Z', '2026-10-25T23:00Z', '2026-10-26T23:00Z'],
    near: '2026-10-25T23:00Z',
  },
  {
    // Its clock is put forward at midnight: the day begins at 01:00.
    per: 'day',
    timeZone: 'America/Santiago',
    boundaries: ['2026-09-05T04:00Z', '2026-09-06T04:00Z', '2026-09-07T03:00Z'],
    near: '2026-09-06T04:00Z',
  },
  {
    // At 01:00 its clock is put back to midnight, which begins no other day.
    per: 'day',
    timeZone: 'America/Havana',
    boundaries: ['2026-10-31T04:00Z', '2026-11-01T04:00Z', '2026-11-02T05:00Z'],
    near: '2026-11-01T05:00Z',
  },
  {
    // Its clock is put back by half an hour.
    per: 'hour',
    timeZone: 'Australia/Lord_Howe',
    boundaries: [
      '2026-04-04T14:00Z',
      '2026-04-04T15:00Z',
      '2026-04-04T15:30Z',
      '2026-04-04T16:30Z',
    ],
    near: '2026-04-04T15:00Z',
  },
  {
    per: 'hour',
    timeZone: 'Asia/Kolkata',
    boundaries: ['2026-05-01T05:30Z', '2026-05-01T06:30Z', '2026-05-01T07:30Z'],
    near: '2026-05-01T06:30Z',
  },
  {
    per: 'month',
    timeZone: 'Europe/Berlin',
    boundaries: ['2026-02-28T23:00Z', '2026-03-31T22:00Z', '2026-04-30T22:00Z'],
    near: '2026-03-31T22:00Z',
  },
];

/** US dollars that one attempt may cost at most, with an answer of limited length. */
const usualUsd = 0.00095;

/** The price of a million tokens. */
const usdPerMillion = 5;

/** Words that make a prompt longer than what its vendor bills, if that lies within the reservation. */
const promptWords = 300;

/** Below the tokens of that prompt, so that what a vendor reports differs from what is estimated. */
const inputTokens = 20;

/** Tokens of the embedding of a prompt of that length, and of a whole answer. */
const mostTokens = 500;

export function longPromptOf(prompt: string): string {
  return `${prompt} ${'word '.repeat(promptWords)}`;
}

function capsOf(dice: Dice): Pick<BudgetSettings, 'usd' | 'tokens' | 'requests'> {
  const factor = dice.oneOf([0.5, 1, 2, 4, 8, 16]);
  const kind = dice.oneOf(['usd', 'usd', 'usd', 'tokens', 'requests', 'all'] as const);
  return {
    ...((kind === 'usd' || kind === 'all') && { usd: usualUsd * factor }),
    ...((kind === 'tokens' || kind === 'all') && { tokens: Math.ceil(mostTokens * factor) }),
    ...((kind === 'requests' || kind === 'all') && { requests: Math.ceil(factor) }),
  };
}

function periodOf(dice: Dice, turn: Turn): Pick<BudgetSettings, 'per' | 'timeZone'> {
  const { per, timeZone } = turn;
  return dice.oneOf([
    { per, timeZone },
    { per, timeZone },
    { per: 'minute' as const },
    { per: 'hour' as const },
    { per: 'day' as const },
  ]);
}

function budgetOf(dice: Dice, turn: Turn): BudgetSettings {
  return {
    ...capsOf(dice),
    ...periodOf(dice, turn),
    ...(dice.chance(0.3) && { match: { feature: dice.oneOf(['search', 'chat']) } }),
    ...(dice.chance(0.4) && { by: 'user' }),
    onExceeded: dice.oneOf(['reject', 'reject', 'downgrade', 'warn']),
    ...(dice.chance(0.3) && { warnAt: [0.8, 0.5] }),
    ...(dice.chance(0.5) && { unknownPrice: { usdPerMillion } }),
  };
}

function budgetsOf(dice: Dice, turn: Turn): Budgets {
  const names = ['one', 'two', 'three'].slice(0, dice.between(1, 3));
  return Object.fromEntries(names.map((name) => [name, budgetOf(dice, turn)]));
}

function payerOf(dice: Dice, mayEmbed: boolean): Payer {
  return {
    tags: {
      ...(dice.chance(0.8) && { user: dice.oneOf(['u1', 'u2']) }),
      ...(dice.chance(0.8) && { feature: dice.oneOf(['search', 'chat']) }),
    },
    maxUsd: dice.chance(0.15) ? usualUsd * dice.oneOf([0.5, 1, 1.5, 3]) : undefined,
    isEmbedding: dice.chance(0.1) && mayEmbed,
  };
}

/** A price that all budgets of a world can be about. */
function laterOf(dice: Dice, turn: Turn, budgets: Budgets): Budgets {
  // A budget keeps its period, or what it has spent would be under other keys.
  const changed = Object.entries(budgets).flatMap(([name, { per, timeZone }]) => {
    if (dice.chance(0.2)) return [];
    return [[name, { ...budgetOf(dice, turn), per, timeZone }] as const];
  });
  return {
    ...Object.fromEntries(changed),
    ...(dice.chance(0.3) && { four: budgetOf(dice, turn) }),
  };
}

/** The money of a world. */
export function budgetPlanOf(dice: Dice, world: World, policy: Policy | undefined): BudgetPlan {
  // Of the copies that a policy makes it is not known which call they are for.
  const mayChange = policy?.forkTo === undefined;
  const turn = dice.oneOf(turns);
  const budgets = budgetsOf(dice, turn);
  const targets = world.vendors.flatMap(({ name }) => [`${name}/m1`, `${name}/m2`]);
  // Bursts come at full ten seconds: some of them at the very boundary.
  const beforeMs = dice.chance(0.7) ? dice.between(0, 9) * 10_000 : dice.between(0, 100_000);
  return {
    beganAt: Date.parse(turn.near) - beforeMs,
    turn,
    budgets,
    later: laterOf(dice, turn, budgets),
    changeAtMs: mayChange && dice.chance(0.25) ? dice.between(0, 60_000) + 0.5 : undefined,
    storeMs: dice.chance(0.3) ? dice.between(0, 15) : undefined,
    maxOutputTokens: dice.chance(0.8) ? 50 : undefined,
    unpriced: new Set(targets.filter(() => dice.chance(0.1))),
    payers: new Map(world.calls.map(({ number }) => [number, payerOf(dice, policy === undefined)])),
    asks: dice.chance(0.2) ? dice.oneOf(['before', 'meanwhile']) : undefined,
    drillAtMs: dice.chance(0.1) ? dice.between(0, 60_000) : undefined,
  };
}

/** The world with its budgets: longer prompts, and vendors that bill what a reservation has room for, or more. */
export function worldWithBudgets(dice: Dice, world: World, plan: BudgetPlan): World {
  const { main, ...others } = world.tiers;
  const { maxOutputTokens } = plan;
  const targets = world.vendors.map(({ name }): TargetId => `${name}/e1`);
  const limited = Object.entries({ ...(main && { main }), ...others }).map(
    ([name, tier]) =>
      [name, { ...tier, ...(maxOutputTokens !== undefined && { maxOutputTokens }) }] as const,
  );
  const hidden = world.vendors.filter(() => dice.chance(0.15));
  return {
    ...world,
    tiers: { ...Object.fromEntries(limited), vectors: { targets, timeouts: main?.timeouts } },
    billing: {
      inputTokens: dice.chance(0.2) ? world.billing.inputTokens : inputTokens,
      hidden: Object.fromEntries(hidden.map(({ name }) => [name, 400])),
    },
  };
}

/** Asks another tier for each call, which pays for it too. */
export function askingPlugin(when: NonNullable<BudgetPlan['asks']>): Plugin {
  return {
    name: 'ask',
    async *wrapCall(call, next) {
      const { request, tags } = call;
      const { plan, ...others } = tags;
      const text = request.kind === 'chat' ? `call ${plan}` : undefined;
      const ask = async (): Promise<void> => {
        if (text === undefined || plan === undefined) return;
        const options = { tags: { ...others, asker: plan } };
        await call.ask('last', longPromptOf(text), options).catch(() => undefined);
      };
      if (when === 'before') await ask();
      let hasAsked = when === 'before';
      for await (const batch of next()) {
        if (!hasAsked) await ask();
        hasAsked = true;
        yield batch;
      }
    },
  };
}

/** The number of the call that the event is about, or that a plugin made its call for. */
export function payingCallOf({ tags }: RouterEvent): string | undefined {
  return tags.plan ?? tags.asker;
}

/** When the window began in which an attempt counts that started then, as the calendar has it. */
export function windowStart(
  { turn }: BudgetPlan,
  { per, timeZone }: BudgetSettings,
  at: number,
): number | undefined {
  if (per === 'minute') return undefined;
  if (per === turn.per && timeZone === turn.timeZone) {
    return turn.boundaries.map((each) => Date.parse(each)).findLast((start) => start <= at);
  }
  const date = new Date(at);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  return per === 'hour'
    ? Date.UTC(year, month, day, date.getUTCHours())
    : Date.UTC(year, month, day);
}

export function matches({ match = {} }: BudgetSettings, { tags }: RouterEvent): boolean {
  return Object.entries(match).every(([name, value]) => tags[name] === value);
}

import type { ConfigProblem } from '../../protocol/config-source.ts';
import type {
  Description,
  RuleDescription,
  TargetDescription,
  TierDescription,
} from '../../protocol/description.ts';
import type { Placed } from '../config-source/command-document.ts';

/** The source of the prices that are configured. */
const configured = 'prices';

/** Older prices are probably wrong. A list that is not yours comes with an update. */
const maxPriceAgeDays = { own: 90, other: 180 } as const;

/** The time to move calls to another model, and to test it. */
const retirementNoticeDays = 90;

const msPerDay = 86_400_000;

/** What is found about single targets, the most severe first, and its name in the table. */
const targetStatus = {
  'retired-model': 'retired',
  'never-eligible': 'never asked',
  'retiring-model': 'retires soon',
  'unknown-model': 'unknown model',
  'missing-price': 'no price',
} as const;

type TargetCode = keyof typeof targetStatus;

type FindingCode =
  | TargetCode
  | 'invalid'
  | 'missing-variable'
  | 'old-prices'
  | 'single-vendor'
  | 'unmet-requires';

export type Finding = ConfigProblem & {
  readonly severity: 'error' | 'warning';
  readonly code: FindingCode;
};

/** One target of the resolved table. */
type TargetRow = TargetDescription & {
  /** `tier`: its own. `fallback`: for a code of failures. `rule`: in the list of a rule. */
  readonly kind: 'tier' | 'fallback' | 'rule';
  /** The tier, or the rule. */
  readonly of: string;
  /** The code of the failures, with `fallback`. */
  readonly code?: string;
  readonly status: 'ok' | (typeof targetStatus)[TargetCode];
};

/** The result of `signalbox check`. */
export type CheckReport = {
  /** Whether there are no errors. */
  readonly passed: boolean;
  readonly errors: number;
  readonly warnings: number;
  /** Those with a known date. Empty if the configuration is invalid. */
  readonly priceLists: Description['priceLists'];
  /** Empty if the configuration is invalid. */
  readonly targets: readonly TargetRow[];
  readonly findings: readonly Finding[];
};

/** A finding without its place. */
type Found = {
  readonly severity: Finding['severity'];
  readonly code: FindingCode;
  readonly path: readonly PropertyKey[];
  readonly message: string;
};

type TargetFound = Omit<Found, 'code' | 'path'> & { readonly code: TargetCode };

/** Days from the day of `now`, in UTC, until a date. Negative for one that is over. */
function daysUntil(date: string, now: number): number {
  return (Date.parse(date) - Math.floor(now / msPerDay) * msPerDay) / msPerDay;
}

function quoted(name: string): string {
  return `"${name}"`;
}

/** What there is to find about a target, by its code. `undefined`: nothing. */
const targetChecks = {
  'never-eligible': ({ target, excluded }) =>
    excluded === undefined
      ? undefined
      : { severity: 'warning', message: `no call can reach ${target}: ${excluded}` },
  'retired-model': ({ model, retirementDate }, now) =>
    retirementDate === undefined || daysUntil(retirementDate, now) > 0
      ? undefined
      : {
          severity: 'error',
          message: `the model ${quoted(model)} was retired on ${retirementDate}`,
        },
  'retiring-model': ({ model, retirementDate }, now) => {
    const days = retirementDate === undefined ? 0 : daysUntil(retirementDate, now);
    if (days <= 0 || days > retirementNoticeDays) return undefined;
    const message = `the model ${quoted(model)} is retired on ${retirementDate}, in ${days} days`;
    return { severity: 'warning', message };
  },
  'unknown-model': ({ model, vendor, unknownModel, similarModel }) => {
    if (unknownModel === undefined) return undefined;
    const advice =
      similarModel === undefined
        ? 'its price and its context window are unknown'
        : `did you mean ${quoted(similarModel)}?`;
    const message = `the model ${quoted(model)} is not in the price list of ${vendor}; ${advice}`;
    return { severity: 'warning', message };
  },
  'missing-price': ({ target, price, unknownModel }) =>
    price !== undefined || unknownModel !== undefined
      ? undefined
      : {
          severity: 'warning',
          message: `the price of ${target} is unknown; set it in "prices", or costs are unknown`,
        },
} as const satisfies Record<
  TargetCode,
  (target: TargetDescription, now: number) => Omit<TargetFound, 'code'> | undefined
>;

const targetCodes = Object.keys(targetStatus) as readonly TargetCode[];

function checkTarget(target: TargetDescription, now: number): readonly TargetFound[] {
  return targetCodes.flatMap((code) => {
    const found = targetChecks[code](target, now);
    return found === undefined ? [] : [{ ...found, code }];
  });
}

/** The only vendor of the targets that calls can reach; `undefined` if there are several, or none. */
function onlyVendor(targets: readonly TargetDescription[]): string | undefined {
  const vendors = new Set(
    targets.filter(({ excluded }) => excluded === undefined).map(({ vendor }) => vendor),
  );
  const [vendor] = vendors;
  return vendors.size === 1 ? vendor : undefined;
}

class Checker {
  readonly #now: number;
  readonly found: Found[] = [];
  readonly rows: TargetRow[] = [];

  constructor(now: number) {
    this.#now = now;
  }

  tier(tier: TierDescription): void {
    const { name, targets, fallbacks, fallbackTargets, fallbackTier } = tier;
    const path = ['tiers', name];
    this.#rows(targets, { kind: 'tier', of: name }, [...path, 'targets']);
    for (const [code, others] of Object.entries(fallbacks)) {
      this.#rows(others, { kind: 'fallback', of: name, code }, [...path, 'fallbacks', code]);
    }
    this.#chain(tier);
    const all = [...targets, ...fallbackTargets];
    this.#singleVendor(all, path, `all targets of the tier ${quoted(name)}`);
    if (!all.every(({ excluded }) => excluded !== undefined)) return;
    const chain = fallbackTier === undefined ? '' : ' and of the tiers it falls back to';
    this.#add(
      'warning',
      'unmet-requires',
      [...path, 'requires'],
      [`no target of the tier${chain} meets the requirements: every call to the tier fails`],
    );
  }

  rule({ name, tier, targets }: RuleDescription, index: number): void {
    const path = ['rules', index, 'use'];
    if (tier === undefined) {
      this.#rows(targets, { kind: 'rule', of: name }, path);
      this.#singleVendor(targets, path, `all targets of the rule ${quoted(name)}`);
    }
    if (!targets.every(({ excluded }) => excluded !== undefined)) return;
    this.#add('warning', 'unmet-requires', path, [
      `no target of the rule ${quoted(name)} meets the requirements of the tiers`,
      'that it applies to: every call that matches fails',
    ]);
  }

  priceList({ source, date }: Description['priceLists'][number]): void {
    if (date === undefined) return;
    const days = -daysUntil(date, this.#now);
    const isOwn = source === configured;
    if (days <= maxPriceAgeDays[isOwn ? 'own' : 'other']) return;
    const advice = isOwn ? 'check them, and update the date' : `update ${source}`;
    this.#add(
      'warning',
      'old-prices',
      [isOwn ? 'pricesDate' : 'prices'],
      [
        `the prices of ${isOwn ? 'the configuration' : source} are of ${date}, ${days} days ago;`,
        advice,
      ],
    );
  }

  #add(
    severity: Found['severity'],
    code: FindingCode,
    path: readonly PropertyKey[],
    message: readonly string[],
  ): void {
    this.found.push({ severity, code, path, message: message.join(' ') });
  }

  #rows(
    targets: readonly TargetDescription[],
    row: Pick<TargetRow, 'kind' | 'of' | 'code'>,
    path: readonly PropertyKey[],
  ): void {
    for (const [index, target] of targets.entries()) {
      const found = checkTarget(target, this.#now);
      this.found.push(...found.map((each) => ({ ...each, path: [...path, index] })));
      const [worst] = found;
      const status = worst === undefined ? 'ok' : targetStatus[worst.code];
      this.rows.push({ ...row, ...target, status });
    }
  }

  /** Targets of other tiers that calls to this one cannot reach, although calls to those can. */
  #chain({ name, targets, fallbackTargets }: TierDescription): void {
    const own = new Set(targets.map(({ target }) => target));
    for (const { target, excluded } of fallbackTargets) {
      if (excluded === undefined || own.has(target)) continue;
      this.#add(
        'warning',
        'never-eligible',
        ['tiers', name, 'fallbackTier'],
        [`no call to the tier ${quoted(name)} can reach ${target}: ${excluded}`],
      );
    }
  }

  #singleVendor(
    targets: readonly TargetDescription[],
    path: readonly PropertyKey[],
    subject: string,
  ): void {
    const vendor = onlyVendor(targets);
    if (vendor === undefined) return;
    this.#add('warning', 'single-vendor', path, [
      `${subject} that calls can reach are of ${vendor}: its outage is yours.`,
      'Add a target of another vendor',
    ]);
  }
}

function reportOf(
  findings: readonly Finding[],
  rows: readonly TargetRow[],
  priceLists: Description['priceLists'],
): CheckReport {
  const errors = findings.filter(({ severity }) => severity === 'error');
  return {
    passed: errors.length === 0,
    errors: errors.length,
    warnings: findings.length - errors.length,
    priceLists,
    targets: rows,
    findings: [...errors, ...findings.filter(({ severity }) => severity === 'warning')],
  };
}

function missingFindings(missing: readonly ConfigProblem[]): readonly Finding[] {
  return missing
    .map((problem): Finding => ({ ...problem, severity: 'warning', code: 'missing-variable' }))
    .sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
}

/** The report of a valid configuration. `missing`: variables of the environment that are not set. */
export function checkConfig(
  { at, priceLists, tiers, rules }: Description,
  placed: Placed,
  missing: readonly ConfigProblem[] = [],
): CheckReport {
  const checker = new Checker(at);
  for (const tier of tiers) checker.tier(tier);
  for (const [index, rule] of rules.entries()) checker.rule(rule, index);
  for (const list of priceLists) checker.priceList(list);
  const findings = checker.found.map(({ path, ...found }) => ({ ...placed(path), ...found }));
  return reportOf([...missingFindings(missing), ...findings], checker.rows, priceLists);
}

/** The report of an invalid configuration. */
export function checkInvalid(
  problems: readonly ConfigProblem[],
  missing: readonly ConfigProblem[],
): CheckReport {
  const errors = problems.map((problem): Finding => {
    return { ...problem, severity: 'error', code: 'invalid' };
  });
  return reportOf([...errors, ...missingFindings(missing)], [], []);
}

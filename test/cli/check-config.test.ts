import { describe, expect, it } from 'vitest';
import { checkConfig } from '../../src/apps/cli/check-config.ts';
import { placesIn } from '../../src/apps/config-source/command-document.ts';
import type {
  Description,
  RuleDescription,
  TargetDescription,
  TierDescription,
} from '../../src/protocol/description.ts';

const at = Date.UTC(2026, 10, 30, 23, 59);
const price = { input: 1, output: 2 };

function target(vendor: string, fields: Partial<TargetDescription> = {}): TargetDescription {
  const facts = { provider: vendor, model: 'm', vendor, price, compliance: {} };
  return { target: `${vendor}/m`, ...facts, ...fields };
}

/** Another target, so that the vendor of the first is not the only one. */
const other = target('other');

function tier(targets: readonly TargetDescription[], fields: Partial<TierDescription> = {}) {
  return {
    name: 'fast',
    strategy: 'priority',
    targets,
    fallbacks: {},
    fallbackTargets: [],
    ...fields,
  };
}

function check(description: Partial<Description>) {
  const whole = { at, priceLists: [], tiers: [], rules: [], ...description };
  return checkConfig(whole, placesIn(undefined));
}

/** The findings as `severity code path`. */
function findings(description: Partial<Description>): readonly string[] {
  return check(description).findings.map(
    ({ severity, code, path }) => `${severity} ${code} ${path}`,
  );
}

const ofTarget = (fields: Partial<TargetDescription>) => {
  const { price: _, ...unpriced } = target('a', fields);
  const described =
    'price' in fields && fields.price === undefined ? unpriced : target('a', fields);
  return findings({ tiers: [tier([described, other])] });
};

describe('checkConfig', () => {
  it('finds nothing in a good configuration', () => {
    const report = check({
      tiers: [tier([target('a'), other])],
      priceLists: [{ source: 'prices', date: '2026-11-01' }],
    });
    expect(report).toMatchObject({ passed: true, errors: 0, warnings: 0, findings: [] });
    expect(report.priceLists).toEqual([{ source: 'prices', date: '2026-11-01' }]);
    expect(report.targets).toMatchObject([
      { kind: 'tier', of: 'fast', target: 'a/m', status: 'ok' },
      { kind: 'tier', of: 'fast', target: 'other/m', status: 'ok' },
    ]);
  });

  it('warns of an unknown model, and suggests a similar one', () => {
    const tiers = [
      tier([target('a', { unknownModel: true, similarModel: 'mm' }), other]),
      tier([other, target('a', { unknownModel: true })], { name: 'two' }),
    ];
    expect(check({ tiers })).toMatchObject({
      passed: true,
      findings: [
        {
          severity: 'warning',
          code: 'unknown-model',
          path: 'tiers.fast.targets[0]',
          message: 'the model "m" is not in the price list of a; did you mean "mm"?',
        },
        {
          path: 'tiers.two.targets[1]',
          message:
            'the model "m" is not in the price list of a; its price and its context window are unknown',
        },
      ],
    });
    expect(check({ tiers }).targets[0]?.status).toBe('unknown model');
  });

  it('reports an unknown price once', () => {
    expect(ofTarget({ price: undefined } as never)).toEqual([
      'warning missing-price tiers.fast.targets[0]',
    ]);
    expect(ofTarget({ price: undefined, unknownModel: true } as never)).toEqual([
      'warning unknown-model tiers.fast.targets[0]',
    ]);
  });

  it.each([
    ['2026-11-30', ['error retired-model tiers.fast.targets[0]']],
    ['2026-12-01', ['warning retiring-model tiers.fast.targets[0]']],
    ['2027-02-28', ['warning retiring-model tiers.fast.targets[0]']],
    ['2027-03-01', []],
  ])('compares the date of retirement %s with today', (retirementDate, expected) => {
    expect(ofTarget({ retirementDate })).toEqual(expected);
  });

  it.each([
    ['prices', '2026-09-01', []],
    ['prices', '2026-08-31', ['warning old-prices pricesDate']],
    ['public', '2026-06-03', []],
    ['public', '2026-06-02', ['warning old-prices prices']],
  ])('compares the date of the list %s, %s, with today', (source, date, expected) => {
    expect(findings({ priceLists: [{ source, date }] })).toEqual(expected);
  });

  it('warns of a target that no call can reach', () => {
    expect(ofTarget({ excluded: 'it declares no region' })).toEqual([
      'warning never-eligible tiers.fast.targets[0]',
      'warning single-vendor tiers.fast',
    ]);
    const fallbacks = { context_length: [target('a', { excluded: 'no' })] };
    expect(findings({ tiers: [tier([target('a'), other], { fallbacks })] })).toEqual([
      'warning never-eligible tiers.fast.fallbacks.context_length[0]',
    ]);
  });

  it('warns of a target of a fallback tier that calls to the tier cannot reach', () => {
    const fallbackTargets = [target('b', { excluded: 'it does not declare noTraining' })];
    const tiers = [tier([target('a'), other], { fallbackTier: 'slow', fallbackTargets })];
    expect(findings({ tiers })).toEqual(['warning never-eligible tiers.fast.fallbackTier']);
  });

  it('warns of requirements that no target meets', () => {
    const tiers = [tier([target('a', { excluded: 'no' })])];
    expect(findings({ tiers })).toEqual([
      'warning never-eligible tiers.fast.targets[0]',
      'warning unmet-requires tiers.fast.requires',
    ]);
  });

  it('warns of a single vendor, also under several names of providers', () => {
    const same = target('a', { target: 'again/m', provider: 'again' });
    expect(findings({ tiers: [tier([target('a'), same])] })).toEqual([
      'warning single-vendor tiers.fast',
    ]);
    const fallbackTargets = [other];
    expect(findings({ tiers: [tier([target('a'), same], { fallbackTargets })] })).toEqual([]);
  });

  it('checks the targets of rules', () => {
    const list: RuleDescription = { name: 'one', targets: [target('a', { unknownModel: true })] };
    expect(findings({ rules: [list] })).toEqual([
      'warning unknown-model rules[0].use[0]',
      'warning single-vendor rules[0].use',
    ]);
    const unmet: RuleDescription = {
      name: 'two',
      tier: 'fast',
      targets: [target('a', { excluded: 'no' })],
    };
    expect(findings({ rules: [list, unmet] }).at(-1)).toBe('warning unmet-requires rules[1].use');
  });
});

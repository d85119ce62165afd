import { describe, expect, it } from 'vitest';
import { compilePattern } from '../../src/config/pattern.ts';
import { resolveConfig } from '../../src/config/resolve.ts';

const known = { providers: ['openai', 'google'], strategies: new Map() };

function problemsOf(...rules: readonly object[]): string {
  const tiers = { fast: ['openai/m'], smart: ['google/m'] };
  const named = rules.map((rule, index) => ({ name: `r${index}`, when: {}, use: 'fast', ...rule }));
  try {
    resolveConfig({ tiers, rules: named }, known);
  } catch (error) {
    return error instanceof Error ? error.message : '';
  }
  return '';
}

describe('rules in the configuration', () => {
  it.each([
    [{ use: 'smrt' }, 'rules[0].use: there is no tier "smrt"; did you mean "smart"?'],
    [{ use: 'openai/m' }, 'rules[0].use: there is no tier "openai/m"; write a target as a list'],
    [
      { use: ['opnai/m'] },
      'rules[0].use[0]: provider "opnai" is not configured; did you mean "openai"?',
    ],
    [
      { use: [{ target: 'openai/m', providerOptions: { azure: {} } }] },
      'rules[0].use[0].providerOptions.azure: provider "azure" is not configured',
    ],
    [{ when: { tiers: ['slow'] } }, 'rules[0].when.tiers[0]: there is no tier "slow"'],
    [{ when: { timeZone: 'Europe/Berln' } }, 'rules[0].when.timeZone: must be an IANA time zone'],
    [{ when: { hours: '8-18' } }, 'rules[0].when.hours: must be two different times'],
    [{ when: { weekdays: ['monday'] } }, 'rules[0].when.weekdays[0]'],
    [{ when: { weekdays: [] } }, 'rules[0].when.weekdays'],
    [{ when: { matches: '(' } }, 'rules[0].when.matches: must be a regular expression of RE2'],
    [{ when: { matches: '(?=a)' } }, 'rules[0].when.matches: must be a regular expression of RE2'],
    [
      { when: { inputTokens: { above: 5, below: 6 } } },
      'rules[0].when.inputTokens: can never match',
    ],
    [{ when: { image: true } }, 'rules[0].when.image: unknown option; did you mean "images"?'],
    [{ uses: 'fast' }, 'rules[0].uses: unknown option; did you mean "use"?'],
    [{ name: '' }, 'rules[0].name'],
  ])('%j is a problem with its path', (rule, problem) => {
    expect(problemsOf(rule)).toContain(problem);
  });

  it('accepts rules that can be reached', () => {
    expect(
      problemsOf(
        { when: { tags: { plan: 'free' } }, use: ['google/any', 'openai/any'] },
        { when: { tools: true, weekdays: ['mon'] } },
        { when: {}, use: 'smart' },
      ),
    ).toBe('');
  });

  it('reports a rule that no call reaches, and a name that is taken', () => {
    const free = { when: { tags: { plan: 'free' } } };
    expect(problemsOf(free, { when: { tags: { plan: 'free' }, tools: true } })).toContain(
      'rules[1]: no call reaches the rule, because "r0" matches all of its calls; move it up or remove it',
    );
    expect(problemsOf(free, { name: 'r0' })).toContain('rules[1].name: "r0" is taken');
    expect(problemsOf({ when: { tiers: ['fast', 'smart'] } }, free)).toContain('rules[1]: no call');
  });

  it('bounds the number of rules', () => {
    const rules = Array.from({ length: 201 }, (_, index) => ({
      when: { tags: { n: `${index}` } },
    }));
    expect(problemsOf(...rules)).toContain('rules: must contain at most 200 rules');
  });

  it('says how to install the engine of patterns when it is missing', () => {
    const { problem } = compilePattern('x', () => ({}));
    expect(problem).toBe(
      'needs the package "re2js", which is not installed; install it: npm i re2js',
    );
  });

  it('matches a pattern in time that grows with the text only', () => {
    const { pattern } = compilePattern('(a+)+$');
    expect(pattern?.(`${'a'.repeat(7_999)}b`)).toBe(false);
    expect(pattern?.('ba')).toBe(true);
  });
});

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { retirementDate } from '../../src/pricing/retirements.ts';
import { publicListVersion } from '../../src/pricing/supplement.ts';

describe('retirementDate', () => {
  it.each([
    ['openai', 'gpt-4o', '2027-01-14'],
    ['openai', 'gpt-4o-2024-11-20', '2027-01-14'],
    ['openai', 'gpt-4o-2024-05-13', '2026-10-23'],
    ['openai', 'gpt-4-0613', '2026-10-23'],
    ['openai', 'gpt-5.4-nano-2026-03-17', '2027-04-01'],
    ['openai', 'gpt-5.4', undefined],
    ['anthropic', 'claude-opus-4-20250514', '2026-06-15'],
    ['anthropic', 'claude-opus-4-1-20250805', '2026-08-05'],
    ['anthropic', 'claude-haiku-4-5', undefined],
    ['google', 'gemini-2.5-pro', '2026-12-01'],
    ['x-ai', 'grok-4-0709', '2026-05-15'],
    ['aws', 'gpt-4o', undefined],
    ['constructor', 'gpt-4o', undefined],
  ])('of %s for %s is %s', (priceList, model, date) => {
    expect(retirementDate(priceList, model)).toBe(date);
  });

  it("has every date of Anthropic's SDK", () => {
    const file = createRequire(import.meta.url).resolve('@anthropic-ai/sdk/resources/messages');
    const source = readFileSync(file.replace(/messages\.js$/, 'messages/messages.js'), 'utf8');
    const [, table = ''] = /const DEPRECATED_MODELS = \{([^}]*)\}/.exec(source) ?? [];
    const rows = [...table.matchAll(/'([^']+)': '([^']+)'/g)];
    expect(rows.length).toBeGreaterThan(0);
    for (const [, model = '', day = ''] of rows) {
      const date = new Date(`${day.replace(/(\d)(?:st|nd|rd|th)/, '$1')} UTC`);
      expect(retirementDate('anthropic', model)).toBe(date.toISOString().slice(0, 10));
    }
  });
});

it('has the date of the price list that is installed', () => {
  const lock = JSON.parse(
    readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'),
  );
  const { version } = lock.packages['node_modules/@pydantic/genai-prices'];
  expect(version, 'update the date in src/pricing/supplement.ts').toBe(publicListVersion);
});

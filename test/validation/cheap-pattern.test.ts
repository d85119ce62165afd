import { describe, expect, it } from 'vitest';
import { plainValidator } from '../../src/validation/json-schema.ts';

/** Whether a text fits a schema with this pattern: one that is not checked fits all. */
async function fits(pattern: string, text: string): Promise<boolean> {
  const validator = plainValidator({ type: 'string', pattern });
  const { issues } = await validator['~standard'].validate(text);
  return issues === undefined;
}

describe('a pattern of a JSON Schema', () => {
  it.each([
    ['abc', 'xabcx'],
    ['^\\d{4}-\\d{2}-\\d{2}$', '2026-01-31'],
    ['^[A-Z]{2,3}$', 'DE'],
    ['^[a-z0-9\\-]+$', 'a-1'],
    ['^(?:red|green|blue)$', 'green'],
    ['^[+-]?\\d+$', '-12'],
    ['^\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}\\.\\d{1,3}$', '127.0.0.1'],
  ])('is checked if it takes little time: %s', async (pattern, text) => {
    expect(await fits(pattern, text)).toBe(true);
    expect(await fits(pattern, '%')).toBe(false);
  });

  const endless = `${'a'.repeat(100_000)}!`;

  it.each([
    '^(a+)+$',
    '^(a|a)*$',
    '^(?:a{1,9}){1,9}$',
    'a+$',
    '^a+a+$',
    `${'a?'.repeat(30)}${'a'.repeat(30)}$`,
    '^a{0,1000}a{0,1000}a{0,1000}$',
    `^${'(a|a)'.repeat(30)}$`,
    '(?=a+$)',
    '^b|a+$',
    '(a)\\1+$',
  ])('is not checked if it could take long: %s', async (pattern) => {
    expect(await fits(pattern, endless)).toBe(true);
  });

  it('is not tried anywhere in a schema', async () => {
    const costly = { type: 'string', pattern: '^(a+)+$' };
    const validator = plainValidator({
      type: 'object',
      properties: {
        list: { type: 'array', items: { anyOf: [costly, { type: 'null' }] } },
        pair: { type: 'array', prefixItems: [costly], items: costly, contains: costly },
        names: { type: 'object', propertyNames: costly },
        keys: {
          type: 'object',
          patternProperties: { '^(a+)+$': { type: 'number' } },
          additionalProperties: false,
        },
        // Not a keyword, but a name of a property.
        pattern: costly,
        reference: { $ref: '#/$defs/costly' },
      },
      $defs: { costly },
    });
    const value = {
      list: [endless],
      pair: [endless, endless],
      names: { [endless]: 1 },
      keys: { [endless]: 'x' },
      pattern: endless,
      reference: endless,
    };
    const { issues } = await validator['~standard'].validate(value);
    expect(issues).toBeUndefined();
  });
});

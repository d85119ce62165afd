import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createReports } from '../../src/apps/reports/create-reports.ts';
import { type ReportRow, rowFields } from '../../src/apps/reports/report-row.ts';
import { toCsv } from '../../src/apps/reports/to-csv.ts';
import { addCall, eventOf } from '../support/report-events.ts';

/** Reads CSV strictly as RFC 4180 has it. */
function parseCsv(text: string): readonly (readonly string[])[] {
  const rows: string[][] = [];
  let rest = text;
  let row: string[] = [];
  while (rest !== '') {
    const match = /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/.exec(rest);
    if (match === null) throw new Error(`not CSV: ${JSON.stringify(rest.slice(0, 80))}`);
    const [all, quoted, plain = '', end] = match;
    row.push(quoted?.replaceAll('""', '"') ?? plain);
    rest = rest.slice(all.length);
    if (end === ',') continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

function rowsWith(keys: readonly string[]): readonly ReportRow[] {
  const reports = createReports({ by: ['user'], maxSeries: 1_000 });
  for (const [index, user] of keys.entries()) addCall(reports, user, index / 1e9);
  return reports.report();
}

const hostile = fc.string({
  unit: fc.oneof(
    fc.constantFrom('"', ',', '\r', '\n', '\t', ' ', '=', '+', '-', '@', "'", ';', '\uFF1D'),
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  ),
  maxLength: 20,
});

describe('toCsv', () => {
  it('can be read back, whatever the keys', () => {
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 20 }), (keys) => {
        const rows = rowsWith(keys);
        const [header, ...lines] = parseCsv(toCsv(rows));
        expect(header).toEqual(rowFields);
        const read = lines.map((cells) =>
          Object.fromEntries(rowFields.map((field, index) => [field, cells[index]])),
        );
        expect(read).toHaveLength(rows.length);
        for (const [index, row] of rows.entries()) {
          const { key, usd, requests, p50TotalMs, quality } = read[index] ?? {};
          expect([row.key, `'${row.key}`]).toContain(key);
          expect([usd, requests, p50TotalMs].map(Number)).toEqual([
            ...[row.usd, row.requests, row.p50TotalMs],
          ]);
          expect(quality).toBe('');
        }
      }),
    );
  });

  it.each([
    '=1+1',
    '+1',
    '-1',
    '@SUM(A1)',
    '\t=1',
    '\r1',
    '\n1',
    '  =HYPERLINK("http://a.test")',
    '\u00A0=1',
    '\uFF1D1',
  ])('makes a formula harmless: %j', (key) => {
    const [, line = []] = parseCsv(toCsv(rowsWith([key])));
    expect(line[rowFields.indexOf('key')]).toBe(`'${key}`);
  });

  it('keeps other keys as they are, and numbers without exponents', () => {
    const reports = createReports({ by: ['user'] });
    addCall(reports, "it's a-b=c", 0.000_000_001);
    reports.add(eventOf('call-end', { tags: { user: "it's a-b=c" }, durationMs: 12_345 }));
    const [, line = []] = parseCsv(toCsv(reports.report()));
    const cells = Object.fromEntries(rowFields.map((field, index) => [field, line[index]]));
    expect(cells).toMatchObject({
      ...{ by: 'user', key: "it's a-b=c", kind: 'value', partial: '', requests: '2' },
      ...{
        usd: '0.000000001',
        p50TotalMs: '100',
        p99TotalMs: '12345',
        usdPerSuccess: '0.000000001',
      },
    });
  });

  it('has a column for every field of a row', () => {
    const reports = createReports({ by: ['user'], maxSeries: 1 });
    addCall(reports, 'a', 1);
    const tags = { user: 'b' };
    reports.add(eventOf('call-end', { tags, firstTokenMs: 1 }));
    reports.add(eventOf('feedback', { tags }));
    const usage = { inputTokens: 1, outputTokens: 1, totalTokens: 2 };
    reports.add(eventOf('cost', { tags, usage }));
    const [row] = reports.report();
    expect(new Set(Object.keys(row ?? {}))).toEqual(new Set(rowFields));
  });

  it('has only a header without rows', () => {
    expect(toCsv([])).toBe(`${rowFields.join(',')}\r\n`);
  });
});

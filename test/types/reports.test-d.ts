import { createRouter } from '../../src/index.ts';
import { createReports, type ReportRow, type Reports, toCsv } from '../../src/reports.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';
import { type Equal, expectType } from './expect-type.ts';

const router = createRouter({
  providers: { openai: fakeProvider() },
  tiers: { fast: ['openai/gpt-5.4-mini'] },
});
const reports = createReports({ by: ['target', 'feature'] });
expectType<Equal<typeof reports, Reports<'target' | 'feature'>>>(true);
router.on('*', reports.add);

// A row knows what it is grouped by.
const [row] = reports.report({ by: 'feature', since: 0, top: 10 });
expectType<Equal<typeof row, ReportRow<'feature'> | undefined>>(true);
expectType<Equal<NonNullable<typeof row>['by'], 'feature'>>(true);
expectType<Equal<NonNullable<typeof row>['usdPerSuccess'], number | undefined>>(true);
expectType<Equal<NonNullable<typeof row>['kind'], 'value' | 'none' | 'other' | 'drill'>>(true);
const rows = reports.report();
expectType<Equal<typeof rows, readonly ReportRow<'target' | 'feature'>[]>>(true);
expectType<Equal<ReturnType<typeof toCsv>, string>>(true);
toCsv(rows);

// Only by what is counted.
// @ts-expect-error
reports.report({ by: 'tier' });
// @ts-expect-error
createReports({ windowMs: 1_000 });

// Names that are known at run time only.
const names: readonly string[] = ['a'];
expectType<Equal<ReturnType<typeof createReports<string>>, Reports<string>>>(true);
createReports({ by: names }).report({ by: 'a' });

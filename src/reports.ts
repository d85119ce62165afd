export { createReports, type ReportOptions, type Reports } from './apps/reports/create-reports.ts';
export type { ReportBy, ReportRow } from './apps/reports/report-row.ts';
export { toCsv } from './apps/reports/to-csv.ts';

import { type ReportRow, rowFields } from './report-row.ts';

/** A spreadsheet may run a cell that starts like this as a formula. */
const formula = /^(?:[\t\r\n]|\s*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20])/;

/** Decimals of a nano-dollar. */
const maxDecimals = 9;

function textCell(text: string): string {
  const harmless = formula.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/** Without an exponent, which not every reader knows. */
function numberCell(value: number): string {
  return value.toFixed(maxDecimals).replace(/\.?0+$/, '');
}

function cellOf(value: string | number | boolean | null | undefined): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number') return numberCell(value);
  return textCell(String(value));
}

/**
 * The rows as CSV after RFC 4180, with a header: fields with commas, quotes or line breaks are quoted, lines end with
 * CRLF. What is absent or unknown is empty. A key that a spreadsheet would run as a formula, such as `=1+1`, gets an apostrophe in
 * front.
 */
export function toCsv(rows: readonly ReportRow[]): string {
  const lines = [rowFields, ...rows.map((row) => rowFields.map((field) => cellOf(row[field])))];
  return lines.map((cells) => `${cells.join(',')}\r\n`).join('');
}

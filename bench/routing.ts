/**
 * A day of mixed traffic, for each strategy and for each model alone: `npm run bench:routing`. Uses virtual time, so it is
 * deterministic. Writes the table in `docs/strategies.md` and the plot in `docs/routing-day.svg`.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StrategyObject } from '../src/index.ts';
import { type Day, models, oracleUsd, requestsOf, runDay } from './routing-day.ts';

const count = Number(process.argv[2] ?? 10_000);
const requests = requestsOf(count, 1);

const strategies: readonly StrategyObject[] = [
  { type: 'priority' },
  { type: 'weighted' },
  { type: 'round-robin' },
  { type: 'least-busy' },
  { type: 'cheapest' },
  { type: 'fastest' },
  { type: 'fastest', by: 'total' },
  { type: 'balanced' },
  { type: 'balanced', cost: 3 },
];

function nameOf({ type, ...settings }: StrategyObject): string {
  const list = Object.entries(settings).map(([key, value]) => `${key}: ${value}`);
  return list.length === 0 ? type : `${type} (${list.join(', ')})`;
}

const days: Day[] = [];
for (const strategy of strategies) {
  days.push(await runDay(nameOf(strategy), requests, { strategy }));
}
days.push(await runDay('list price (control)', requests, { strategy: 'list-price' }));
for (const only of Object.keys(models) as (keyof typeof models)[]) {
  days.push(await runDay(`only ${only}`, requests, { only }));
}

const best = oracleUsd(requests);
const seconds = (ms: number) => (Number.isFinite(ms) ? (ms / 1_000).toFixed(1) : '∞');
const rows = days.map(({ name, usd, p50, p95, p99, failed, shares }) => ({
  '': name,
  USD: usd.toFixed(2),
  'To oracle': (usd / best).toFixed(2),
  'p50 s': seconds(p50),
  'p95 s': seconds(p95),
  'p99 s': seconds(p99),
  Failed: String(failed),
  ...Object.fromEntries(
    Object.entries(shares).map(([id, share]) => [id, `${Math.round(100 * share)} %`]),
  ),
}));
console.table(rows);
console.log(`${count} calls; an oracle of expected costs pays ${best.toFixed(2)} USD`);

const size = { width: 720, height: 420, margin: 60 } as const;

/** One model alone, or what other routers do. */
function isControl({ name }: Day): boolean {
  return name.startsWith('only') || name.endsWith('(control)');
}

/** Cost and p95 of each day, as an SVG. */
function plot(list: readonly Day[]): string {
  const maxUsd = 1.1 * Math.max(...list.map(({ usd }) => usd));
  const maxMs = 1.1 * Math.max(...list.map(({ p95 }) => p95).filter(Number.isFinite));
  const { width, height, margin } = size;
  const x = (usd: number) => margin + ((width - 2 * margin) * usd) / maxUsd;
  const y = (ms: number) => height - margin - ((height - 2 * margin) * ms) / maxMs;
  // A day on which one call in twenty has no answer has no p95.
  const plotted = list.filter(({ p95 }) => Number.isFinite(p95));
  // Days with the same result share a point.
  const groups = Map.groupBy(plotted, ({ usd, p95 }) => `${usd} ${p95}`).values();
  const points = [...groups].map((days) => {
    const [{ usd, p95 } = { usd: 0, p95: 0 }] = days;
    const colour = days.every(isControl) ? '#888' : '#06c';
    const at = `cx="${x(usd).toFixed(1)}" cy="${y(p95).toFixed(1)}"`;
    const text = `x="${(x(usd) + 7).toFixed(1)}" y="${(y(p95) + 4).toFixed(1)}"`;
    const names = days.map(({ name }) => name).join(', ');
    return `<circle ${at} r="4" fill="${colour}"/><text ${text} fill="${colour}">${names}</text>`;
  });
  const axis = `M${margin} ${margin}V${height - margin}H${width - margin}`;
  const unit = (value: number, digits: number) => value.toFixed(digits);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    '<title>Cost and p95 of a simulated day, by strategy (blue), and for single models and the order of list prices (grey)</title>',
    `<rect width="${width}" height="${height}" fill="#fff"/><path d="${axis}" fill="none" stroke="#333"/>`,
    `<text x="${width / 2}" y="${height - 20}" text-anchor="middle">US dollars of the day (right end: ${unit(maxUsd, 0)})</text>`,
    `<text x="20" y="${margin - 20}">p95 of the whole answer (top: ${unit(maxMs / 1_000, 0)} s)</text>`,
    ...points,
    '</svg>',
    '',
  ].join('\n');
}

/** The rows as a table in Markdown. */
function tableOf(list: readonly Readonly<Record<string, string>>[]): string {
  const columns = Object.keys(list[0] ?? {});
  const lines = [columns, columns.map(() => '---'), ...list.map((row) => Object.values(row))];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const marks = [
  '<!-- routing-day: written by npm run bench:routing -->',
  '<!-- /routing-day -->',
] as const;
const guide = join(import.meta.dirname, '..', 'docs', 'strategies.md');
const [before, rest = ''] = readFileSync(guide, 'utf8').split(marks[0]);
const [, after] = rest.split(marks[1]);
if (after === undefined) throw new Error(`${guide} has no place for the table`);
writeFileSync(guide, `${before}${marks[0]}\n${tableOf(rows)}\n${marks[1]}${after}`);
writeFileSync(join(import.meta.dirname, '..', 'docs', 'routing-day.svg'), plot(days));

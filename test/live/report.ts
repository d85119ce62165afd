import { readFileSync } from 'node:fs';
import { version } from '../../src/internal/version.ts';
import type { CaseResult, VendorResult } from './run-vendor.ts';
import { formatUsd } from './spending.ts';

export type LiveReport = {
  readonly mode: 'live' | 'simulated';
  readonly startedAt: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly vendors: readonly VendorResult[];
  /** Vendors that were not tried, for lack of a key. */
  readonly notConfigured: readonly string[];
  readonly maxUsd: number;
  /** Counted against the cap. Where the vendor reported no usage, the most that it can be. */
  readonly spentUsd: number;
};

const sdks = ['openai', '@anthropic-ai/sdk', '@google/genai'];

function installedVersion(name: string): string {
  try {
    const url = new URL(`../../node_modules/${name}/package.json`, import.meta.url);
    return String(JSON.parse(readFileSync(url, 'utf8')).version);
  } catch {
    return 'not installed';
  }
}

export function versions(): LiveReport['versions'] {
  return {
    signalbox: version,
    ...Object.fromEntries(sdks.map((name) => [name, installedVersion(name)])),
    node: `${process.versions.node} (${process.platform} ${process.arch})`,
  };
}

/** Text for one cell of a Markdown table. */
function cell(text: string): string {
  return text.replace(/[|`<>\\]/g, (character) => `\\${character}`).replace(/\s+/g, ' ');
}

function costOf({ usd, outputTokens, inputTokens }: CaseResult): string {
  if (usd !== null) return inputTokens + outputTokens === 0 ? '' : formatUsd(usd);
  return 'unknown';
}

function row(result: CaseResult): string {
  const { name, status, reason = '', durationMs, inputTokens, outputTokens } = result;
  const isSkipped = status === 'skipped';
  const tokens = inputTokens + outputTokens === 0 ? '' : `${inputTokens} + ${outputTokens}`;
  const shown = status === 'failed' ? '**failed**' : status;
  const cells = [name, shown, isSkipped ? '' : String(durationMs), tokens, costOf(result)];
  return `| ${[...cells, cell(reason)].join(' | ')} |`;
}

export function countOf(cases: readonly CaseResult[], wanted: CaseResult['status']): number {
  return cases.filter(({ status }) => status === wanted).length;
}

function summary(cases: readonly CaseResult[]): string {
  return (['passed', 'failed', 'skipped'] as const)
    .map((status) => `${countOf(cases, status)} ${status}`)
    .join(', ');
}

function section({ vendor, model, cases }: VendorResult): string {
  return [
    `### ${vendor}, \`${model}\`: ${summary(cases)}`,
    '',
    '| Case | Result | ms | Tokens in + out | USD | Note |',
    '|---|---|--:|--:|--:|---|',
    ...cases.map(row),
  ].join('\n');
}

/** The report as Markdown, to paste into an issue. It has no key, and no text of an answer. */
export function formatReport(report: LiveReport): string {
  const { mode, vendors, notConfigured, maxUsd, spentUsd } = report;
  const versionList = Object.entries(report.versions).map(([name, each]) => `${name} ${each}`);
  const money =
    mode === 'live'
      ? `Counted ${formatUsd(spentUsd)} of at most $${maxUsd}.`
      : `Nothing was billed; at list prices: ${formatUsd(spentUsd)}.`;
  return [
    `## signalbox live contract${mode === 'live' ? '' : ' (simulated vendors)'}`,
    '',
    `${report.startedAt}. ${versionList.join(', ')}.`,
    '',
    `${summary(vendors.flatMap(({ cases }) => cases))}. ${money}`,
    ...vendors.flatMap((each) => ['', section(each)]),
    ...(notConfigured.length === 0 ? [] : ['', `Without a key: ${notConfigured.join(', ')}.`]),
  ].join('\n');
}

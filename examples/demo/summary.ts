import type { Snapshot } from 'signalbox';
import { dollars, milliseconds, paint, paintTarget, print, printRule, seconds } from './screen.ts';
import type { Row } from './tally.ts';

export type Result = {
  readonly durationMs: number;
  readonly features: readonly Row[];
  readonly total: Row;
  readonly lost: number;
  /** Requests answered by another target than the first of their tier. */
  readonly rerouted: number;
  /** US dollars: the sum of `cost.attemptsUsd` of all answers. */
  readonly answersUsd: number;
  readonly snapshot: Snapshot;
};

/** Whether both totals are equal. Both are sums of whole nano-dollars. */
export function billsAgree({ total, answersUsd }: Result): boolean {
  return Math.round(total.usd * 1e9) === Math.round(answersUsd * 1e9);
}

const columns = ['requests', 'ok', 'failovers', 'retries', 'p50', 'p95', 'p99', 'cost'];

function cells(name: string, rest: readonly string[]): string {
  return `  ${name.padEnd(10)}${rest.map((cell) => cell.padStart(10)).join('')}`;
}

function featureLine(row: Row): string {
  const { requests, ok, failovers, retries, latencyMs, usd } = row;
  const counts = [requests, ok, failovers, retries].map(String);
  const latencies = [0.5, 0.95, 0.99].map((quantile) => milliseconds(latencyMs(quantile)));
  return cells(row.name, [...counts, ...latencies, dollars(usd)]);
}

function printTargets({ targets }: Snapshot): void {
  const titles = ['attempts', 'failed', 'first token p50', 'p95', 'circuit'];
  const widths = [10, 10, 19, 10, 12];
  const line = (rest: readonly string[]) =>
    rest.map((cell, index) => cell.padStart(widths[index] ?? 0)).join('');
  print(paint('dim', `  ${'target'.padEnd(29)}${line(titles)}`));
  for (const [target, health] of Object.entries(targets)) {
    if (health.calls === 0) continue;
    const { p50FirstTokenMs: p50 = 0, p95FirstTokenMs: p95 = 0 } = health;
    const counts = [String(health.calls), String(health.failures)];
    const rest = line([...counts, milliseconds(p50), milliseconds(p95), health.circuit]);
    print(`  ${paintTarget(target, 29)}${rest}`);
  }
}

function printBudgets({ budgets = [] }: Snapshot): void {
  for (const { name, settled, limit, resetsAt } of budgets) {
    const until = new Date(resetsAt).toISOString();
    print(`  budget ${name}: ${dollars(settled)} of ${dollars(limit)} spent, until ${until}`);
  }
}

export function printSummary(result: Result): void {
  const { total, lost, rerouted, durationMs } = result;
  printRule(`${total.requests} requests in ${seconds(durationMs)}`, 'bold');
  print(paint('dim', cells('feature', columns)));
  for (const row of result.features) print(featureLine(row));
  print(paint('bold', featureLine(total)));
  print();
  printTargets(result.snapshot);
  print();
  printBudgets(result.snapshot);
  const verdict = `  ${total.ok} answered, ${lost} lost.`;
  print(
    `${paint(lost === 0 ? ['bold', 'green'] : ['bold', 'red'], verdict)} ${rerouted} of them by another target than the tier's first.`,
  );
  const agree = billsAgree(result);
  print(
    `  Cost: ${dollars(total.usd, 6)} in \`cost\` events, ${dollars(result.answersUsd, 6)} in the answers. ${
      agree ? paint('green', '✓ equal') : paint('red', '✗ different')
    }`,
  );
}

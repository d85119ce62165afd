import type { EvalReport } from '../evals/create-evals.ts';
import type { CaseResult, RunResult } from '../evals/run-result.ts';
import { regressionText, scoreProblem, type TargetReport, targetReports } from './evals-verdict.ts';

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** Characters that XML 1.0 cannot hold, escaped or not; half of a surrogate pair is one. */
const invalid = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu;

function escaped(text: string): string {
  return text
    .replace(invalid, '\uFFFD')
    .replace(/[&<>"']/g, (each) => entities[each] ?? each)
    .replace(/[\t\n\r]/g, (each) => `&#${each.charCodeAt(0)};`);
}

function attributes(values: Readonly<Record<string, string | number>>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escaped(String(value))}"`)
    .join('');
}

/** One test of the report. */
type Test = {
  readonly name: string;
  readonly kind: 'pass' | 'failure' | 'error' | 'skipped';
  readonly message: string;
};

function caseTest({ id, score, failures = [] }: CaseResult, { compared }: TargetReport): Test {
  const worse = compared.worse.find((each) => each.id === id);
  if (compared.state === 'regressed' && worse !== undefined) {
    const message = `score ${worse.after.toFixed(2)}, baseline ${worse.before.toFixed(2)}`;
    return { name: id, kind: 'failure', message };
  }
  if (score !== null) return { name: id, kind: 'pass', message: '' };
  if (failures.length > 0) return { name: id, kind: 'error', message: failures.join(', ') };
  return { name: id, kind: 'skipped', message: 'not asked' };
}

/** Whether the target as a whole is worse, and one test for each case. */
function testsOf(report: TargetReport): readonly Test[] {
  const { result, compared } = report;
  const isRegressed = compared.state === 'regressed';
  const problem = isRegressed ? regressionText(compared) : scoreProblem(result);
  const whole: Test = {
    name: 'score compared with the baseline',
    kind: problem !== undefined ? 'failure' : compared.state === 'unknown' ? 'skipped' : 'pass',
    message: problem ?? compared.reason ?? '',
  };
  return [whole, ...result.cases.map((each) => caseTest(each, report))];
}

function element(suite: string, { name, kind, message }: Test): string {
  const start = `    <testcase${attributes({ name, classname: suite, time: 0 })}`;
  if (kind === 'pass') return `${start}/>`;
  const type = kind === 'skipped' ? {} : { type: kind };
  return `${start}>\n      <${kind}${attributes({ message, ...type })}/>\n    </testcase>`;
}

function suiteElement({ suite, run }: RunResult, report: TargetReport): string {
  const tests = testsOf(report);
  const count = (kind: Test['kind']): number => tests.filter((each) => each.kind === kind).length;
  const name = `${suite} ${report.result.target}`;
  const head = attributes({
    name,
    tests: tests.length,
    failures: count('failure'),
    errors: count('error'),
    skipped: count('skipped'),
    time: 0,
    timestamp: run.replace(/T(\d+)-(\d+)-(\d+).*/, 'T$1:$2:$3'),
  });
  return [
    `  <testsuite${head}>`,
    ...tests.map((test) => element(name, test)),
    '  </testsuite>',
  ].join('\n');
}

/** Formats a report as JUnit XML: a test suite for each suite and target, a test for each case. */
export function formatEvalsJunit({ reports, unfinished }: EvalReport): string {
  const suites = reports.flatMap((report) =>
    targetReports(report).map((each) => suiteElement(report.result, each)),
  );
  const stopped = unfinished.map(({ suite, message }) => {
    const test = element(suite, { name: 'the run is finished', kind: 'error', message });
    const head = attributes({ name: suite, tests: 1, failures: 0, errors: 1, skipped: 0, time: 0 });
    return `  <testsuite${head}>\n${test}\n  </testsuite>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="signalbox evals">
${[...suites, ...stopped].join('\n')}
</testsuites>
`;
}

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { drillHelp } from '../../src/apps/cli/drill-arguments.ts';
import { runCommand } from '../../src/apps/cli/run-command.ts';
import { version } from '../../src/internal/version.ts';
import type { DrillFault, DrillReport } from '../../src/protocol/drill.ts';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';

const root = join(import.meta.dirname, '../..');
const built = pathToFileURL(join(root, 'dist')).href;
const folder = mkdtempSync(join(tmpdir(), 'signalbox-cli-'));

type Run = { readonly code: number | string; readonly stdout: string; readonly stderr: string };

/** Runs the command in a child process. Requires `dist`, which `npm test` builds first. */
function signalbox(...args: readonly string[]): Promise<Run> {
  const options = { cwd: folder, timeout: 120_000, env: { ...process.env, NO_COLOR: '1' } };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(root, 'dist/cli.js'), ...args],
      options,
      (error, stdout, stderr) => {
        resolve({ code: error?.code ?? (error === null ? 0 : 'killed'), stdout, stderr });
      },
    );
  });
}

/** The required arguments of a drill. */
const drillArgs = (config: string, tier: string, fault: string, ...more: readonly string[]) => [
  ...['--config', join(folder, `${config}.mjs`), '--tier', tier, '--fault', fault],
  ...more,
];

let vendors: SimulatedProviders;

function write(name: string, code: string): string {
  writeFileSync(join(folder, name), code);
  return `./${name}`;
}

/** Writes a configuration of two simulated vendors, followed by an export statement. */
function writeConfig(name: string, exportStatement: string): string {
  return write(
    name,
    `import { createRouter, defineConfig } from '${built}/index.js';
import { anthropic } from '${built}/anthropic.js';
import { openai } from '${built}/openai.js';
const settings = defineConfig({
  providers: {
    openai: openai({ baseURL: '${vendors.openai.baseURL}', apiKey: 'test' }),
    anthropic: anthropic({ baseURL: '${vendors.anthropic.baseURL}', apiKey: 'test' }),
  },
  tiers: {
    fast: ['openai/gpt-5.4-mini', 'anthropic/claude-haiku-4-5'],
    alone: ['openai/gpt-5.4-mini'],
  },
});
// A handle that would keep the process alive.
setInterval(() => undefined, 60_000);
${exportStatement}`,
  );
}

beforeAll(async () => {
  vendors = await simulateProviders();
});
afterEach(() => vendors.reset());
afterAll(async () => {
  await vendors.close();
  rmSync(folder, { recursive: true });
});

describe('signalbox', () => {
  it('prints help, and rejects unknown commands', async () => {
    expect(await runCommand([])).toMatchObject({ exitCode: 2, problem: '' });
    expect((await runCommand(['--help'])).output).toMatch(/signalbox drill <file>/);
    expect((await runCommand(['dril'])).problem).toMatch(/unknown command "dril"/);
  });

  it.each(['--version', '-v'])('prints the version with %s', async (flag) => {
    expect(await signalbox(flag)).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
    expect((await runCommand(['--help'])).output).toMatch(/--version/);
  });
});

describe('signalbox drill', () => {
  it('prints the report and exits with 0 when the drill passed', async () => {
    const config = writeConfig('passes.mjs', 'export default settings;');
    const run = await signalbox(
      ...['drill', '--config', config, '--tier', 'fast', '--fault', 'overloaded', '--calls', '5'],
    );
    expect(run.stderr).toBe('');
    expect(run.stdout).toMatch(/^Fire drill on tier "fast": overloaded\n5 calls drilled/);
    expect(run.stdout).toMatch(
      /^openai\/gpt-5\.4-mini → anthropic\/claude-haiku-4-5 +yes +[1-5]$/m,
    );
    expect(run.stdout).toMatch(/^passed$/m);
    expect(run.code).toBe(0);
    expect(vendors.openai.log).toHaveLength(0);
    expect(vendors.anthropic.log).toHaveLength(5);
  });

  it('exits with 1 and prints the reasons when the drill did not pass', async () => {
    vendors.anthropic.fault({ type: 'status', kind: 'auth' });
    const config = writeConfig('fails.ts', 'export const config = settings;');
    const run = await signalbox(
      ...['drill', '--config', config, '--tier', 'fast', '--fault', 'connection', '--calls', '2'],
    );
    expect(run.stdout).toMatch(
      /NOT PASSED\n {2}lost 2 of 2 calls: all_targets_failed ×2\n {2}no call was answered\n$/,
    );
    expect(run.stdout).toMatch(/all_targets_failed +connection, connection, auth$/m);
    expect(run.code).toBe(1);
  });

  it('prints the report as JSON, for streams and for an exported router', async () => {
    const config = writeConfig('router.ts', 'export const router = createRouter(settings);');
    const run = await signalbox(
      ...['drill', '--config', config, '--tier', 'fast', '--fault', 'slow', '--delay-ms', '20'],
      ...['--calls', '3', '--concurrency', '1', '--share', '1', '--stream', '--json'],
      ...['--target', 'openai/gpt-5.4-mini', '--prompt', 'Say hello.'],
    );
    const report = JSON.parse(run.stdout) as DrillReport;
    expect(report).toMatchObject({
      passed: true,
      fault: { type: 'slow', delayMs: 20 },
      calls: { drilled: 3, hit: 3, answered: 3 },
    });
    expect(vendors.openai.log.map(({ body }) => JSON.stringify(body))).toEqual(
      Array(3).fill(expect.stringContaining('Say hello.')),
    );
    expect(run.code).toBe(0);
  });

  it.each<[string, readonly string[], RegExp]>([
    ['no arguments', [], /a file is required/],
    ['a misspelled option', ['--tiers', 'fast'], /Unknown option '--tiers'/],
    [
      'a module without a configuration',
      drillArgs('empty', 'fast', 'slow'),
      /exports neither a configurat/,
    ],
    [
      'an invalid configuration',
      drillArgs('faulty', 'fast', 'slow'),
      /provider "x" is not configured/,
    ],
    ['an unknown tier', drillArgs('good', 'fats', 'slow'), /no tier "fats"; did you mean "fast"\?/],
    ['an unknown fault', drillArgs('good', 'fast', 'fire'), /fault: must be one of connection/],
    [
      'a target outside the tier',
      drillArgs('good', 'fast', 'slow', '--target', 'a/b'),
      /not ask "a\/b"/,
    ],
    [
      'a share that is not a number',
      drillArgs('good', 'fast', 'slow', '--share', 'all'),
      /"all" is not a number/,
    ],
    [
      'a fraction of a call',
      drillArgs('good', 'fast', 'slow', '--calls', '0.5'),
      /--calls: must be a positive/,
    ],
    [
      'a setting of another fault',
      drillArgs('good', 'fast', 'cut', '--delay-ms', '5'),
      /delayMs: unk/,
    ],
  ])('exits with 2 and a message for %s', async (_, args, message) => {
    write('empty.mjs', 'export const other = {};');
    write('faulty.mjs', "export default { providers: {}, tiers: { fast: ['x/y'] } };");
    writeConfig('good.mjs', 'export default settings;');
    const { exitCode, output, problem } = await runCommand(['drill', ...args]);
    expect(problem).toMatch(message);
    expect(output).toBe('');
    // A message without a stack trace.
    expect(problem).not.toMatch(/^ +at /m);
    expect(exitCode).toBe(2);
  });

  it('reports a missing module on stderr', async () => {
    const run = await signalbox('drill', ...drillArgs('none', 'fast', 'slow'));
    expect(run.code).toBe(2);
    expect(run.stdout).toBe('');
    expect(run.stderr).toMatch(/^signalbox drill: cannot load .*none\.mjs: /);
  });

  it('lists every fault in its help', async () => {
    const faults: Record<DrillFault['type'], true> = {
      ...{ connection: true, timeout: true, rate_limited: true, server_error: true },
      ...{ overloaded: true, slow: true, cut: true, truncated: true, invalid_output: true },
    };
    for (const fault of Object.keys(faults))
      expect(drillHelp).toMatch(new RegExp(`\\b${fault}\\b`));
    const run = await signalbox('drill', '--help');
    expect(run).toEqual({ code: 0, stdout: `${drillHelp}\n`, stderr: '' });
  });
});

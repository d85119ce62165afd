import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { CommandResult } from '../../src/apps/cli/command-result.ts';
import { runCommand } from '../../src/apps/cli/run-command.ts';
import { noTerminal, type Terminal } from '../../src/apps/cli/terminal.ts';
import { eventOf } from '../support/report-events.ts';

const folder = mkdtempSync(join(tmpdir(), 'signalbox-report-'));
afterAll(() => rmSync(folder, { recursive: true }));
const root = join(import.meta.dirname, '../..');

function file(content: string | Uint8Array): string {
  const path = join(folder, 'events.jsonl');
  writeFileSync(path, content);
  return path;
}

async function report(
  content: string | Uint8Array,
  args: readonly string[] = [],
  terminal: Terminal = noTerminal,
): Promise<CommandResult> {
  return runCommand(['report', file(content), ...args], terminal);
}

const day = Date.parse('2026-11-30T00:00:00Z');
const usage = { inputTokens: 1_000, outputTokens: 10, totalTokens: 1_010, cachedInputTokens: 250 };

function callOf(feature: string | undefined, usd: number | null, hour = 0, drill?: string) {
  const common = {
    at: day + hour * 3_600_000,
    tags: feature === undefined ? {} : { feature },
    ...(drill !== undefined && { drill }),
  };
  return [
    eventOf('attempt-end', { ...common, durationMs: 900 }),
    eventOf('cost', { ...common, usd, usage }),
    eventOf('call-end', { ...common, usd, durationMs: 1_000, firstTokenMs: 300 }),
  ]
    .map((event) => `${JSON.stringify(event)}\n`)
    .join('');
}

const log = [
  callOf('search', 0.25),
  callOf('search', 0.5, 5),
  callOf('chat', 0.125),
  callOf(undefined, null),
  callOf('chat', 0.001, 0, 'drill-1'),
].join('');

describe('signalbox report', () => {
  it('prints a table by tag', async () => {
    const { exitCode, output, problem } = await report(log, ['--by', 'feature']);
    expect({ exitCode, problem }).toEqual({ exitCode: 0, problem: '' });
    expect(output.split('\n')).toEqual([
      'feature   requests  errors       USD  USD/success  p50 ms  p95 ms  cached',
      'search           2       0      0.75         0.38    1000    1000     25%',
      'chat             1       0      0.13         0.13    1000    1000     25%',
      '(none)           1       0         -            -    1000    1000     25%',
      '(drills)         1       0  0.001000     0.001000    1000    1000     25%',
      '',
      '(none): without the tag',
      '(drills): calls of fire drills',
      'billed attempts of unknown price, not in USD: 1',
    ]);
  });

  it('reads what toLogEntry and other loggers write, and skips other lines', async () => {
    const lines = log.replaceAll('{"type"', '{"level":30,"time":1,"type"');
    const noise = '{"level":30,"msg":"server started"}\n\n{"type":"call-start"}\n{"type":7}\n';
    const { exitCode, output } = await report(`\uFEFF${noise}${lines}`.replaceAll('\n', '\r\n'), [
      '--json',
    ]);
    expect(exitCode).toBe(0);
    expect(JSON.parse(output)).toMatchObject({
      ...{ by: 'target', events: 15, unreadable: 0, problems: [] },
      rows: [
        { key: 'a/x', requests: 4, usd: 0.875, unpriced: 1 },
        { kind: 'drill', usd: 0.001 },
      ],
    });
  });

  it('prints all figures as CSV', async () => {
    const { exitCode, output } = await report(log, ['--by', 'feature', '--csv']);
    expect(exitCode).toBe(0);
    const lines = `${output}\n`.split('\r\n');
    expect(lines).toHaveLength(6);
    expect(lines[0]).toMatch(/^by,key,kind,partial,requests,/);
    expect(lines[1]).toMatch(
      /^feature,search,value,,2,0,0,0,0,0,2000,20,500,0\.25,0\.75,0,0\.375,/,
    );
    expect(lines[5]).toBe('');
  });

  it('takes events since a time', async () => {
    const requests = async (since: string): Promise<number> => {
      const { output } = await report(log, ['--by', 'tier', '--json', '--since', since]);
      const { rows } = JSON.parse(output) as { readonly rows: readonly { requests: number }[] };
      return rows.reduce((sum, row) => sum + row.requests, 0);
    };
    expect(await requests('2026-11-30')).toBe(5);
    expect(await requests('2026-11-30T05:00Z')).toBe(1);
    expect(await requests('90000d')).toBe(5);
  });

  it('merges what is not in the top', async () => {
    const { output } = await report(log, ['--by', 'feature', '--top', '1']);
    expect(output).toMatch(/^search .*\n\(none\).*\n\(other\) +1 +0 +0\.13/m);
    expect(output).toContain('(other): those without a row of their own');
  });

  it('reports unreadable lines with their numbers, counts the others and exits with 1', async () => {
    const [first = '', second = '', ...rest] = log.split('\n');
    const secret = 'sk-secret';
    const wrong = [
      secret,
      '[]',
      'null',
      '{"type":"cost","at":1}',
      second.replace('"usd":0.25', '"usd":-1'),
      second.replace('"inputTokens":1000', '"inputTokens":"1000"'),
      first.replace('"at":', '"at":1e999,"as":'),
      first.replace('"tags":{"feature":"search"}', '"tags":{"feature":{}}'),
      first.slice(0, 50),
      'x'.repeat(1_000_001),
      'y',
      'z',
    ];
    const content = [first, ...wrong, second, ...rest].join('\n');
    const { exitCode, output, problem } = await report(content, ['--by', 'feature']);
    expect(exitCode).toBe(1);
    expect(output).toMatch(/^search +2 +0 +0\.75/m);
    expect(problem.split('\n')).toEqual([
      'signalbox report: line 2 is not JSON',
      'signalbox report: line 3 is not a JSON object',
      'signalbox report: line 4 is not a JSON object',
      'signalbox report: line 5 "tier" of the cost event is wrong',
      'signalbox report: line 6 "usd" of the cost event is wrong',
      'signalbox report: line 7 "usage" of the cost event is wrong',
      'signalbox report: line 8 "at" of the attempt-end event is wrong',
      'signalbox report: line 9 "tags" of the attempt-end event is wrong',
      'signalbox report: line 10 is not JSON',
      'signalbox report: line 11 is longer than 1000000 characters',
      'signalbox report: and 2 more unreadable lines',
    ]);
    expect(problem + output).not.toContain(secret);
  });

  it('survives any bytes, and any values in an event', async () => {
    const types = ['call-end', 'attempt-end', 'failover', 'retry', 'cost', 'feedback'];
    const names = ['at', 'tier', 'tags', 'target', 'from', 'usage', 'usd', 'error', 'status'];
    const event = fc
      .tuple(fc.constantFrom(...types), fc.dictionary(fc.constantFrom(...names), fc.jsonValue()))
      .map(([type, fields]) => JSON.stringify({ ...fields, type }));
    const near = fc
      .tuple(fc.constantFrom(...log.split('\n')), fc.constantFrom(...names), fc.jsonValue())
      .map(([line, name, value]) =>
        line === '' ? line : JSON.stringify({ ...JSON.parse(line), [name]: value }),
      );
    const bytes = fc.uint8Array({ maxLength: 200 });
    const lines = fc.array(fc.oneof(event, near, fc.string(), bytes), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(
        lines,
        fc.constantFrom('--json', '--csv', '--by=feature'),
        async (all, arg) => {
          const content = Buffer.concat(
            all.flatMap((each) => [Buffer.from(each), Buffer.from('\n')]),
          );
          const { exitCode, output, problem } = await report(content, [arg]);
          expect([0, 1]).toContain(exitCode);
          expect(exitCode === 1).toBe(problem !== '');
          if (arg === '--json') JSON.parse(output);
          if (arg === '--csv') return;
          const longest = Math.max(...problem.split('\n').map((line) => line.length));
          expect(longest).toBeLessThanOrEqual(80);
        },
      ),
    );
  });

  it('has at most 80 columns, escapes keys, and more columns on a wide terminal', async () => {
    const keys = ['a'.repeat(300), '\u001B[31mred', 'right\u202Eleft', '', 'x y'];
    const content = keys.map((key) => callOf(key, 12_345.678)).join('');
    const longest = (text: string): number =>
      Math.max(...text.split('\n').map((line) => line.length));
    const { output } = await report(content, ['--by', 'feature']);
    expect(longest(output)).toBeLessThanOrEqual(80);
    expect(['\u001B', '\u202E'].filter((each) => output.includes(each))).toEqual([]);
    expect(output).toMatch(/^"" /m);
    const narrow = await report(content, ['--by', 'feature'], { columns: 40, color: 'off' });
    expect(longest(narrow.output)).toBeLessThanOrEqual(40);
    const wide = await report(content, ['--by', 'feature'], { columns: 200, color: 'on' });
    expect(wide.output).toContain('\u001B[1m');
    const plain = stripVTControlCharacters(wide.output);
    expect(plain.split('\n')[0]).toMatch(/p95 ms.*cached.*failovers.*first p95.*tokens out$/);
  });

  it('exits with 1 if there is no event, and with 2 for wrong use', async () => {
    expect(await report('')).toEqual({
      ...{ exitCode: 1, output: '' },
      problem: 'signalbox report: no events of calls were found',
    });
    for (const [args, words] of [
      [['--since', 'yesterday'], '"yesterday" is neither 2026-11-30, 2026-11-30T08:00Z nor 24h'],
      [['--since', '2026-99-99'], '"2026-99-99" is neither'],
      [['--since', '2026-11-30T08:00'], 'is neither'],
      [['--top', '0'], '--top: must be a positive integer'],
      [['--csv', '--json'], 'exclude each other'],
      [['--by', ''], '--by: must be a name'],
      [['other.jsonl'], 'takes one file'],
      [['--colour'], '--colour'],
    ] as const) {
      const { exitCode, problem } = await report(log, args);
      expect([exitCode, problem]).toEqual([2, expect.stringContaining(words)]);
    }
    const missing = await runCommand(['report', join(folder, 'missing.jsonl')]);
    expect([missing.exitCode, missing.problem]).toEqual([2, expect.stringContaining('(ENOENT)')]);
    const directory = await runCommand(['report', folder]);
    expect([directory.exitCode, directory.problem]).toEqual([2, expect.stringContaining('EISDIR')]);
    expect((await runCommand(['report', '--help'])).output).toMatch(/^signalbox report <file>/);
  });

  it('runs from the command line', async () => {
    const args = [join(root, 'dist', 'cli.js'), 'report', file(log), '--by', 'feature', '--csv'];
    const stdout = await new Promise<string>((resolve, reject) => {
      execFile(process.execPath, args, (error, out) => (error ? reject(error) : resolve(out)));
    });
    expect(stdout.split('\r\n')).toHaveLength(6);
    expect(stdout.endsWith('\r\n')).toBe(true);
  });
});

import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { drillHelp } from '../src/apps/cli/drill-arguments.ts';
import { runCommand } from '../src/apps/cli/run-command.ts';
import { defaults } from '../src/config/defaults.ts';
import { callOptionsSchema } from '../src/config/option-schemas.ts';
import { routingSchema } from '../src/config/schema.ts';
import { loadConfig } from '../src/config.ts';
import { failureTable } from '../src/engine/failures/decide.ts';
import { SignalboxError } from '../src/errors.ts';
import { retryBudgetRules } from '../src/limits/request-budgets.ts';
import type { ErrorCode } from '../src/protocol/error-code.ts';
import { errorResponse } from '../src/telemetry/error-response.ts';
import { checkFences } from './docs/check-fences.ts';
import {
  anchorsOf,
  type Fence,
  fencesOf,
  linksOf,
  pages,
  readPage,
  root,
  rowsOf,
} from './docs/markdown.ts';

const fences = pages.flatMap(fencesOf);
const checked = fences.filter(({ info }) => info === 'ts');

/** The members of a union of string literals, parsed from the source. */
function unionMembers(path: string, pattern: RegExp): readonly string[] {
  const text = readFileSync(`${root}${path}`, 'utf8');
  return [...text.matchAll(pattern)].map((match) => match[1] ?? '');
}

/** Formats a value as a source literal: `10_000`, `'stream'`. */
function literalOf(value: string | number | boolean): string {
  if (typeof value === 'string') return `'${value}'`;
  const [whole = '', ...fraction] = String(value).split('.');
  return [whole.replace(/\B(?=(\d{3})+$)/g, '_'), ...fraction].join('.');
}

describe('the code in the docs', () => {
  const wrong: Fence = {
    page: 'wrong.md',
    line: 10,
    info: 'ts',
    code: "import { createRouter } from 'signalbox';\ncreateRouter(1);",
  };
  const bytes: Fence = {
    page: 'bytes.md',
    line: 1,
    info: 'ts',
    code: [
      "import { Readable } from 'node:stream';",
      "import type { Router } from 'signalbox';",
      "declare const router: Router<'fast'>;",
      "Readable.fromWeb(router.stream('fast', 'hi').toReadableStream());",
      "new Response(router.stream('fast', 'hi').toReadableStream());",
      "const web: ReadableStream<Uint8Array> = router.stream('fast', 'hi').toReadableStream('sse');",
      'for await (const bytes of web) bytes.byteLength;',
    ].join('\n'),
  };
  let errors: readonly string[];
  // In one program, because most of the time is for the sources.
  beforeAll(() => {
    errors = checkFences([...checked, wrong, bytes]);
  }, 300_000);

  it('type-checks against the sources', () => {
    expect(checked.length).toBeGreaterThan(20);
    expect(errors.filter((error) => !/^(?:wrong|bytes)\.md:/.test(error))).toEqual([]);
  });

  it('has a language, and skips type checks only for fragments', () => {
    const others = fences.filter(
      ({ info }) => !['ts', 'js', 'sh', 'text', 'json', 'yaml'].includes(info),
    );
    expect(others.filter(({ info }) => info !== 'ts no-check')).toEqual([]);
    expect(others.length).toBeLessThanOrEqual(4);
  });

  it('has errors with page and line', () => {
    expect(errors.filter((error) => error.startsWith('wrong.md'))).toEqual([
      expect.stringMatching(/^wrong\.md:11: Argument of type/),
    ]);
  });

  it('may take a stream of bytes for one of the web and of Node, with and without the DOM library', () => {
    expect(errors.filter((error) => error.startsWith('bytes.md'))).toEqual([]);
    const lib = ['ES2024', 'DOM', 'DOM.Iterable', 'DOM.AsyncIterable'];
    expect(checkFences([bytes], { lib })).toEqual([]);
  }, 300_000);
});

describe('a guide', () => {
  const guides = pages.filter((page) => /^docs\/[^/]+\.md$/.test(page));

  it.each(guides)('%s shows what a user writes before its first section', (page) => {
    const [first] = fencesOf(page);
    const section = readPage(page)
      .split('\n')
      .findIndex((line) => line.startsWith('## '));
    expect(first?.line).toBeLessThan(12);
    expect(section === -1 || (first?.line ?? 0) < section).toBe(true);
  });
});

describe('links in the docs', () => {
  it('point to files and headings that exist', () => {
    const broken = pages.flatMap(linksOf).filter(({ page, to }) => {
      const [path = '', anchor] = to.split('#');
      const target = path === '' ? page : posix.join(posix.dirname(page), path);
      if (!existsSync(`${root}${target}`)) return true;
      return anchor !== undefined && !anchorsOf(target).has(anchor);
    });
    expect(broken).toEqual([]);
  });

  it('reach every page from the README', () => {
    const reached = new Set(['README.md']);
    for (const page of reached) {
      for (const { to } of linksOf(page)) {
        const target = posix.join(posix.dirname(page), to.split('#')[0] ?? '');
        if (pages.includes(target)) reached.add(target);
      }
    }
    expect(pages.filter((page) => !reached.has(page))).toEqual([]);
  });
});

describe('docs/configuration.md', () => {
  const page = 'docs/configuration.md';

  it('has a row for every default, with its value', () => {
    const { circuit, ...others } = defaults;
    const expected = [
      ...Object.entries(others),
      ...Object.entries(circuit).map(([name, value]) => [`circuit.${name}`, value] as const),
    ].map(([name, value]) => [name, literalOf(value)]);
    const rows = rowsOf(page, 'Every default').map(([name, value]) => [name, value]);
    expect(rows).toEqual(expect.arrayContaining(expected));
  });

  const ofTiers = Object.keys(routingSchema.shape.defaults.unwrap().shape);
  const ofCalls = Object.keys(callOptionsSchema().shape);
  /** Options of calls and tiers that are merged instead of overridden. They have separate tables. */
  const merged = ['timeouts', 'retry', 'requires', 'tags'];
  const inBoth = ofTiers.filter((name) => ofCalls.includes(name) && !merged.includes(name));
  const sections = {
    'Router options': [
      'providers',
      'strategies',
      'plugins',
      'store',
      'runtime',
      ...Object.keys(routingSchema.shape),
    ],
    Tiers: [
      'targets',
      'fallbackTier',
      'fallbacks',
      ...ofTiers.filter((name) => !inBoth.includes(name)),
    ],
    Targets: [
      'target',
      'contextWindow',
      'outputLimit',
      'capabilities',
      'retirementDate',
      'family',
      'prices',
      'weight',
      'compliance',
      'limits',
      'tags',
    ],
    'Call defaults': inBoth,
    'Call options': ofCalls.filter((name) => !inBoth.includes(name)),
    Timeouts: ['connectMs', 'firstTokenMs', 'idleMs', 'totalMs'],
    Retries: ['attempts', 'minMs', 'maxMs'],
    Limits: ['concurrency', 'rpm', 'tpm', 'maxQueue', 'maxQueueMs'],
    Circuits: Object.keys(defaults.circuit),
  };

  it.each(Object.entries(sections))('has a row for every option under "%s"', (heading, options) => {
    const documented = rowsOf(page, heading)
      .slice(2)
      .map(([name]) => name);
    expect(documented.toSorted()).toEqual(options.toSorted());
  });
});

describe('docs/errors.md', () => {
  const rows = rowsOf('docs/errors.md');

  it('has a row for every error code', () => {
    const codes = unionMembers('src/protocol/error-code.ts', /^ {2}\| '(\w+)'$/gm);
    const documented = new Set(rows.map(([code]) => code));
    expect(codes.filter((code) => !documented.has(code))).toEqual([]);
    expect(codes).toContain('all_targets_failed');
  });

  it('matches the failure table', () => {
    const next = { yes: 'yes', 'larger-window': 'larger window', listed: 'if listed' };
    const expected = Object.entries(failureTable).map(([code, row]) => [
      code,
      String(row.same),
      String(row.alone),
      next[row.next],
      row.circuit ? 'yes' : 'no',
    ]);
    const documented = rows.filter((row) => row.length === 6).map((row) => row.slice(0, 5));
    expect(documented).toEqual(expect.arrayContaining(expected));
  });

  it('has the values of the retry budget', () => {
    const documented = rows.map(([name, value]) => [name, value]);
    const expected = Object.entries(retryBudgetRules).map(([name, value]) => [name, String(value)]);
    expect(documented).toEqual(expect.arrayContaining(expected));
  });
});

describe('docs/http.md', () => {
  it('has a row for every error code, with its status', () => {
    const codes = unionMembers('src/protocol/error-code.ts', /^ {2}\| '(\w+)'$/gm);
    const expected = codes.map((code) => {
      const error = new SignalboxError(code as ErrorCode, '', { resetsAt: 0 });
      return [code, String(errorResponse(error).status)];
    });
    const documented = rowsOf('docs/http.md', 'Status codes').slice(2);
    expect(documented.map(([code, status]) => [code, status]).toSorted()).toEqual(
      [...new Map(expected.map((row) => [row[0], row])).values()].toSorted(),
    );
  });
});

/** Runs a fence against the sources in a child process. Rejects if it throws. */
async function run(code: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-fence-'));
  const file = join(folder, 'fence.ts');
  const entry = (_: string, name = '/index') => `from '${pathToFileURL(root)}src${name}.ts'`;
  try {
    writeFileSync(file, code.replace(/from 'signalbox(\/[\w-]+)?'/g, entry));
    return (await promisify(execFile)(process.execPath, [file])).stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('docs/config-files.md', () => {
  const documents = fencesOf('docs/config-files.md').filter(({ info }) => info !== 'ts');

  it.each(['yaml', 'json'] as const)('has only valid documents in %s', async (format) => {
    const texts = documents.filter(({ info }) => info === format).map(({ code }) => code);
    expect(texts.length).toBeGreaterThan(1);
    for (const text of texts) {
      const folder = mkdtempSync(join(tmpdir(), 'signalbox-document-'));
      const file = join(folder, `document.${format}`);
      vi.stubEnv('TEAM', 'search');
      // A document of prices has no tiers.
      const whole = text.includes('"pricesDate"')
        ? text.replace('{', '{ "tiers": { "a": ["b/c"] },')
        : text;
      writeFileSync(file, whole);
      await expect(loadConfig(file)).resolves.toHaveProperty('tiers');
      rmSync(folder, { recursive: true });
    }
  });
});

describe('docs/command-line.md', () => {
  const page = 'docs/command-line.md';

  it('starts with a document that its commands accept', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'signalbox-commands-'));
    const file = join(folder, 'router.yaml');
    const [document, commands] = fencesOf(page);
    writeFileSync(file, document?.code ?? '');
    vi.stubEnv('OPENAI_API_KEY', 'none');
    vi.stubEnv('ANTHROPIC_API_KEY', 'none');
    const lines = (commands?.code ?? '').split('\n').filter((line) => !line.includes(' drill '));
    const outputs: string[] = [];
    for (const line of lines.filter((each) => each !== '')) {
      const [, , ...args] = line.replace('router.yaml', file).split(' ');
      const { exitCode, output, problem } = await runCommand(args);
      expect([exitCode, problem], line).toEqual([0, '']);
      outputs.push(output);
    }
    rmSync(folder, { recursive: true });
    expect(outputs[0]).toMatch(/0 errors, 0 warnings$/);
    expect(outputs[1]).toMatch(/by the rule free plan/);
  });

  it('has a row for every option and every code', async () => {
    const documented = ['Check', 'Explain', 'Report'].map((title) =>
      rowsOf(page, title).flatMap(([names = '']) => names.replaceAll('`', '').split(', ')),
    );
    for (const [index, command] of ['check', 'explain', 'report'].entries()) {
      const { output } = await runCommand([command, '--help']);
      const options = [...output.matchAll(/^ {2}(--[\w-]+)/gm)].map(([, name]) => name);
      expect(options.length).toBeGreaterThan(2);
      expect(documented[index]).toEqual(expect.arrayContaining(options));
    }
    const codes = unionMembers(
      'src/apps/cli/check-config.ts',
      /^ {2}(?:\| )?'([a-z-]+)'(?:;|: '|$)/gm,
    );
    expect(codes).toContain('single-vendor');
    expect(documented[0]).toEqual(expect.arrayContaining([...codes]));
  });
});

describe('docs/fire-drill.md', () => {
  const page = 'docs/fire-drill.md';

  it('starts with a drill that passes', async () => {
    const [first] = fencesOf(page);
    const stdout = await run(first?.code ?? '');
    expect(stdout).toMatch(/from: 'openai\/gpt-5\.4-mini',\s+to: 'anthropic\/claude-haiku-4-5'/);
    await expect(run("throw new Error('as a fence that fails');")).rejects.toThrow('as a fence');
  });

  it('has a row for every option of the command, with its default', () => {
    const documented = rowsOf(page, 'From the command line').slice(2);
    const options = [...drillHelp.matchAll(/^ {2}(--[\w-]+)(?:.*\(default: (.*)\))?/gm)];
    const isFlag = (name: string): boolean => name === '--stream' || name === '--json';
    const expected = options.map(([, name = '', value = '']) => [
      name,
      isFlag(name) ? 'off' : value,
    ]);
    expect(expected.length).toBeGreaterThan(10);
    expect(documented.map(([name, value]) => [name, value])).toEqual(expected);
  });
});

describe('a program of a guide', () => {
  it.each([
    ['docs/testing.md', 'the user left'],
    ['docs/testing.md', 'the client leaves'],
    ['docs/troubleshooting.md', 'seen.join'],
  ])('%s, with "%s", passes', async (page, text) => {
    const fence = fencesOf(page).find(({ code }) => code.includes(text));
    await expect(run(fence?.code ?? "throw new Error('missing')")).resolves.toBe('');
  });
});

describe('docs/events.md', () => {
  it('has a row for every event', () => {
    const names = unionMembers(
      'src/protocol/events.ts',
      /^ {2}'?([a-z-]+)'?: Of(?:Call|Drill|Router)\b/gm,
    );
    const documented = new Set(rowsOf('docs/events.md').map(([name]) => name));
    expect(names).toContain('call-end');
    expect(names.filter((name) => !documented.has(name))).toEqual([]);
  });
});

describe('docs/architecture.md', () => {
  it('has a row for every room of src', () => {
    const documented = new Set(rowsOf('docs/architecture.md').map(([room]) => room));
    const rooms = readdirSync(`${root}src`, { withFileTypes: true }).map((entry) =>
      entry.isDirectory() ? `src/${entry.name}/` : `src/${entry.name}`,
    );
    const inside = (house: string) =>
      readdirSync(`${root}src/${house}`).map((name) => `src/${house}/${name}/`);
    // Rooms of one kind share a row.
    const kinds: Record<string, readonly string[]> = {
      'src/engine/': inside('engine'),
      'src/apps/': inside('apps'),
      'src/plugins/': inside('plugins'),
      'src/wires/': ['src/wires/<wire>/'],
      'src/adapters/': ['src/adapters/<vendor or wire>/'],
    };
    const expected = rooms.flatMap((room) => kinds[room] ?? room);
    expect(expected.filter((room) => !documented.has(room))).toEqual([]);
  });

  it('lists every decision', () => {
    const listed = new Set(linksOf('docs/architecture.md').map(({ to }) => to));
    const decisions = readdirSync(`${root}docs/decisions`).map((name) => `decisions/${name}`);
    expect(decisions.filter((path) => !listed.has(path))).toEqual([]);
  });
});

describe('README.md', () => {
  it('has a first answer within one screen', () => {
    const [install, first] = fencesOf('README.md');
    expect(install?.code).toMatch(/^npm i signalbox /);
    expect(first?.code).toContain('router.complete(');
    expect((first?.line ?? 0) + (first?.code.split('\n').length ?? 0)).toBeLessThan(30);
  });

  it('has only tables that a phone can show', () => {
    expect(Math.max(...rowsOf('README.md').map((row) => row.length))).toBe(2);
  });

  it('has the demo and test commands', () => {
    const readme = readPage('README.md');
    expect(readme).toContain('npm ci --loglevel=error && npm run demo\n');
    expect(readme).toContain('npm ci --loglevel=error && npm test\n');
  });
});

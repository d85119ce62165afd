// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to variables in documents
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { CheckReport } from '../../src/apps/cli/check-config.ts';
import type { CommandResult } from '../../src/apps/cli/command-result.ts';
import { formatExplanation } from '../../src/apps/cli/explain-command.ts';
import { runCommand } from '../../src/apps/cli/run-command.ts';
import { noTerminal, terminalOf } from '../../src/apps/cli/terminal.ts';
import type { Explanation } from '../../src/protocol/router.ts';
import { simulateProviders } from '../../src/testing/simulate-providers.ts';

const root = join(import.meta.dirname, '../..');
const sources = pathToFileURL(join(root, 'src')).href;
const folder = mkdtempSync(join(tmpdir(), 'signalbox-check-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

let files = 0;

/** Writes a file with a new name, because modules are loaded once. */
function file(text: string, extension = 'yaml'): string {
  files += 1;
  const path = join(folder, `file-${files}.${extension}`);
  writeFileSync(path, text);
  return path;
}

const providers = `env: [OPENAI_API_KEY]
providers:
  openai: { type: openai, apiKey: '\${OPENAI_API_KEY}' }
  anthropic: { type: anthropic }
`;
const good = `${providers}tiers:
  fast: [openai/gpt-5.4-mini, anthropic/claude-haiku-4-5]
`;
const key = 'sk-proj-Zm9vYmFyYmF6cXV4Zm9vYmFy';

async function check(text: string, ...args: readonly string[]): Promise<CommandResult> {
  return runCommand(['check', file(text), ...args]);
}

async function reportOf(text: string): Promise<CheckReport> {
  return JSON.parse((await check(text, '--json')).output) as CheckReport;
}

/** The findings as `code path line:column`. */
async function findings(text: string): Promise<readonly string[]> {
  const { findings: all } = await reportOf(text);
  return all.map(({ code, path, line, column }) => `${code} ${path} ${line}:${column}`);
}

function longestLine({ output }: CommandResult): number {
  return Math.max(...output.split('\n').map((line) => line.length));
}

describe('signalbox check', () => {
  it('prints the resolved table and exits with 0', async () => {
    vi.stubEnv('OPENAI_API_KEY', key);
    const { exitCode, output, problem } = await check(good);
    expect({ exitCode, problem }).toEqual({ exitCode: 0, problem: '' });
    expect(output).toMatch(
      /^provider\/model +\$ in +\$ out +context +output +status\n\ntier fast\n/,
    );
    expect(output).toMatch(/^openai\/gpt-5\.4-mini +\d\S+ +\d\S+ +400k +\S+ +ok$/m);
    expect(output).toMatch(/\n0 errors, 0 warnings$/);
  });

  it('exits with 0 for warnings, and with 1 for them with --strict', async () => {
    vi.stubEnv('OPENAI_API_KEY', key);
    const text = good.replace('gpt-5.4-mini', 'gpt-5.4-mnii');
    const { exitCode, output } = await check(text);
    expect(output).toMatch(
      /^warning tiers\.fast\.targets\[0\] \(6:10\)\n {2}the model "gpt-5\.4-mnii"/m,
    );
    expect(output.replaceAll(/\s+/g, ' ')).toContain('did you mean "gpt-5.4-mini"?');
    expect(exitCode).toBe(0);
    expect((await check(text, '--strict')).exitCode).toBe(1);
    expect((await check(good, '--strict')).exitCode).toBe(0);
  });

  it('prints the report as JSON', async () => {
    vi.stubEnv('OPENAI_API_KEY', key);
    const own = 'prices: { openai/gpt-x: { input: 1, output: 2 } }';
    const text = `${good}${own}\npricesDate: 2020-01-01\n`;
    expect(await reportOf(text)).toEqual({
      passed: true,
      errors: 0,
      warnings: 1,
      priceLists: expect.arrayContaining([{ source: 'prices', date: '2020-01-01' }]),
      targets: [
        expect.objectContaining({
          ...{ kind: 'tier', of: 'fast', target: 'openai/gpt-5.4-mini', provider: 'openai' },
          ...{ model: 'gpt-5.4-mini', vendor: 'openai', priceFrom: 'list', status: 'ok' },
          ...{ contextWindow: 400_000, price: expect.objectContaining({ output: 4.5 }) },
        }),
        expect.objectContaining({ target: 'anthropic/claude-haiku-4-5' }),
      ],
      findings: [
        expect.objectContaining({ severity: 'warning', code: 'old-prices', path: 'pricesDate' }),
      ],
    });
  });

  it('finds targets and requirements that no call can use', async () => {
    vi.stubEnv('OPENAI_API_KEY', key);
    const text = `${providers}  own: { type: compatible, baseURL: 'http://127.0.0.1:1', compliance: { region: eu } }
tiers:
  eu:
    targets: [openai/gpt-5.4-mini, own/llama]
    requires: { regions: [eu] }
  cheap:
    targets: [own/llama]
    requires: { maxEstimatedUsd: 0.01 }
    fallbackTier: eu
rules:
  - { name: law, when: { tags: { a: b } }, use: eu }
`;
    expect(await findings(text)).toEqual([
      'never-eligible tiers.eu.targets[0] 8:15',
      'missing-price tiers.eu.targets[1] 8:36',
      'single-vendor tiers.eu 7:3',
      'never-eligible tiers.cheap.targets[0] 11:15',
      'missing-price tiers.cheap.targets[0] 11:15',
      'never-eligible tiers.cheap.fallbackTier 13:5',
      'unmet-requires tiers.cheap.requires 12:5',
    ]);
  });

  it('keeps a target of a rule that calls to one of its tiers can reach', async () => {
    vi.stubEnv('OPENAI_API_KEY', key);
    const text = `${providers}tiers:
  strict: { targets: [openai/gpt-5.4-mini, anthropic/claude-haiku-4-5], requires: { noTraining: true } }
  open: [openai/gpt-5.4-mini, anthropic/claude-haiku-4-5]
rules:
  - { name: both, when: { tags: { a: a } }, use: [openai/gpt-5.4, anthropic/claude-opus-4-6] }
  - { name: none, when: { tiers: [strict] }, use: [openai/gpt-5.4, anthropic/claude-opus-4-6] }
`;
    expect((await findings(text)).filter((each) => each.includes('rules'))).toEqual([
      'never-eligible rules[1].use[0] 10:52',
      'never-eligible rules[1].use[1] 10:68',
      'unmet-requires rules[1].use 10:46',
    ]);
  });

  it('reports every problem of an invalid document and exits with 1', async () => {
    const text = `env: [OPENAI_API_KEY]
providers:
  openai: { type: openia }
  anthropic: { type: anthropic, baseUrl: 'http://x' }
  code: { type: openai, client: {} }
  word: openai
tiers:
  fast: [openai/gpt-5.4-mini, b/c]
rules:
  - { name: all, when: {}, use: fast }
  - { name: dead, when: { tools: true }, use: fast }
`;
    expect(await findings(text)).toEqual([
      'invalid providers.openai.type 3:13',
      'invalid providers.anthropic.baseUrl 4:33',
      'invalid providers.code.client 5:25',
      'invalid providers.word 6:3',
      'invalid tiers.fast.targets[1] 8:31',
      'invalid rules[1] 11:5',
    ]);
    const { exitCode, output } = await check(text);
    expect(exitCode).toBe(1);
    expect(output).toMatch(/^error rules\[1\] \(11:5\)\n {2}no call reaches the rule/m);
  });

  it('requires providers, and reports the rest too', async () => {
    expect(await findings('tiers: { fast: [a/b], slow: [] }')).toEqual([
      'invalid providers 1:1',
      'invalid tiers.slow.targets 1:23',
    ]);
    expect(await findings('providers: {}\ntiers: { fast: [a/b] }')).toContain(
      'invalid providers 1:1',
    );
  });

  it('warns of variables that are not set, and checks the rest', async () => {
    vi.stubEnv('OPENAI_API_KEY', undefined);
    const text = good
      .replace('env: [', 'env: [GATEWAY, TEAM, ')
      .replace('type: anthropic', "type: anthropic, baseURL: '${GATEWAY}'")
      .concat("tags: { team: '${TEAM}' }\n");
    const { passed, findings: all, targets } = await reportOf(text);
    expect(passed).toBe(true);
    expect(all.map(({ code, path, message }) => `${code} ${path}: ${message}`)).toEqual([
      'missing-variable providers.openai.apiKey: the environment variable OPENAI_API_KEY is not set',
      'missing-variable providers.anthropic.baseURL: the environment variable GATEWAY is not set',
      'missing-variable tags.team: the environment variable TEAM is not set',
    ]);
    expect(targets).toHaveLength(2);
  });

  it('refuses secrets outside of apiKey', async () => {
    vi.stubEnv('OPENAI_API_KEY', 'not-like-a-key');
    const elsewhere = `${good}tags: { a: '\${OPENAI_API_KEY}' }\n`;
    expect(await findings(elsewhere)).toEqual(['invalid tags.a 7:9']);
    vi.stubEnv('TEAM', key);
    const hidden = `${good.replace('[OPENAI', '[TEAM, OPENAI')}tags: { a: '\${TEAM}' }\n`;
    expect(await findings(hidden)).toEqual(['invalid tags.a 7:9']);
    const literal = good.replace("'${OPENAI_API_KEY}'", key);
    expect(await findings(literal)).toEqual(['invalid providers.openai.apiKey 3:27']);
    const unlisted = good.replace('env: [OPENAI_API_KEY]', 'env: []');
    expect(await findings(unlisted)).toEqual(['invalid providers.openai.apiKey 3:27']);
  });

  it('never prints a key', async () => {
    vi.stubEnv('OPENAI_API_KEY', key);
    const texts = [
      good,
      good.replace("'${OPENAI_API_KEY}'", key),
      good.replace('openai:', `${key}:`),
      good.replace('fast:', `${key}: [${key}]\n  fast:`),
      good.replace('openai/gpt', `${key}/gpt`),
      good.replace('openai/gpt', '${OPENAI_API_KEY}/gpt'),
      good.replace('type: openai', "type: '${OPENAI_API_KEY}'"),
      good.replace('type: anthropic', "type: anthropic, baseURL: 'http://${OPENAI_API_KEY}:x@y'"),
      `${good}bad: [\${OPENAI_API_KEY}`,
    ];
    for (const text of texts) {
      for (const args of [[], ['--json']]) {
        const { output, problem } = await check(text, ...args);
        expect(output + problem).not.toContain(key);
      }
      const { output, problem } = await runCommand(['explain', file(text), '--tier', 'fast']);
      expect(output + problem).not.toContain(key);
    }
  });

  it.each([
    ['nothing', ''],
    ['a list', '- tiers'],
    ['an open bracket', 'tiers: [p/m'],
    ['deep brackets', '['.repeat(500_000)],
    ['aliases that contain themselves', 'providers: &a { b: *a }'],
    ['a name __proto__', 'providers: { __proto__: { type: openai } }\ntiers: { a: [b/c] }'],
    ['a type of Object', 'providers: { a: { type: constructor } }\ntiers: { a: [a/c] }'],
    ['a slash in a name', 'providers: { a/b: { type: openai } }\ntiers: { a: [a/c] }'],
    ['a list of settings', 'providers: { a: [openai] }\ntiers: { a: [a/c] }'],
    ['numbers', 'providers: { a: { type: 1 } }\ntiers: { a: [a/c] }'],
    ['a nested key', 'providers: { a: { type: openai, apiKey: { b: c } } }\ntiers: { a: [a/c] }'],
  ])('reports %s as findings, without a crash', async (_, text) => {
    const { exitCode, output, problem } = await check(text);
    expect(problem).toBe('');
    expect(output).toMatch(/^error /m);
    expect(output).toMatch(/\n\d+ errors?, \d+ warnings?$/);
    expect(exitCode).toBe(1);
  });

  it('prints at most 80 columns, and no control characters of a document', async () => {
    vi.stubEnv('OPENAI_API_KEY', key);
    const long = 'a-long-name-'.repeat(20);
    const text = `${providers}tiers:
  "${long}": ["openai/${long}", "openai/\\e[31mred\\u202Eother"]
  "\\e[2J ${long.replaceAll('-', ' ')}": ["anthropic/😀${'😀'.repeat(80)}"]
`;
    const result = await check(text);
    expect(longestLine(result)).toBeLessThanOrEqual(80);
    expect(result.output).not.toMatch(/[^\P{C}\n]/u);
    expect(result.output.replaceAll('\n', '')).toContain(long);
    for (const args of [
      ['--help'],
      ['check', '--help'],
      ['explain', '--help'],
      ['drill', '--help'],
    ]) {
      expect(longestLine(await runCommand(args))).toBeLessThanOrEqual(80);
    }
  });

  it('uses colours and the width of a terminal only on one', async () => {
    vi.stubEnv('OPENAI_API_KEY', key);
    expect(terminalOf({ columns: 200 }, {})).toEqual({ columns: 80, color: 'off' });
    expect(terminalOf({ isTTY: true, columns: 200 }, { NO_COLOR: '1' })).toEqual({
      columns: 200,
      color: 'off',
    });
    expect(terminalOf({ isTTY: true }, { TERM: 'dumb' }).color).toBe('off');
    const terminal = terminalOf({ isTTY: true, columns: 10 }, { NO_COLOR: '' });
    expect(terminal).toEqual({ columns: 40, color: 'on' });
    const path = file(good);
    const plain = await runCommand(['check', path], { ...terminal, color: 'off' });
    const colored = await runCommand(['check', path], terminal);
    expect(colored.output).not.toBe(plain.output);
    expect(stripVTControlCharacters(colored.output)).toBe(plain.output);
    expect(stripVTControlCharacters(plain.output)).toBe(plain.output);
  });

  it('prints no colours to a pipe', async () => {
    const env = { ...process.env, NO_COLOR: undefined, FORCE_COLOR: '1' };
    const path = file(good.replace('gpt', 'gtp'));
    const stdout = await new Promise<string>((resolve) => {
      const args = [join(root, 'dist/cli.js'), 'check', path, '--strict'];
      execFile(process.execPath, args, { env }, (error, text) => {
        expect(error?.code).toBe(1);
        resolve(text);
      });
    });
    expect(stdout).toMatch(/^warning tiers\.fast/m);
    expect(stripVTControlCharacters(stdout)).toBe(stdout);
  });

  it('checks modules, of configurations and of routers', async () => {
    const start = `import { createRouter } from '${sources}/index.ts';
import { fakeProvider } from '${sources}/testing.ts';
const settings = { providers: { a: fakeProvider('hi') }, tiers: { fast: ['a/b'] } };\n`;
    for (const end of [
      'export default settings;',
      'export const router = createRouter(settings);',
      'export default settings; settings.tiers.fast = ["c/d"];',
      'export const router = createRouter({ ...settings, tiers: { fast: ["c/d"] } });',
    ]) {
      const { exitCode, output } = await runCommand(['check', file(start + end, 'mjs'), '--json']);
      const { passed, findings: all } = JSON.parse(output) as CheckReport;
      const expected = end.includes('c/d')
        ? [1, ['invalid']]
        : [0, ['missing-price', 'single-vendor']];
      expect([exitCode, all.map(({ code }) => code)]).toEqual(expected);
      expect(passed).toBe(exitCode === 0);
    }
  });

  it.each<[string, readonly string[], RegExp]>([
    ['no file', [], /a file is required/],
    ['two files', ['a.yaml', 'b.yaml'], /takes one file, not 2/],
    ['an unknown option', ['a.yaml', '--jsn'], /Unknown option '--jsn'/],
    ['a missing document', ['none.yaml'], /none\.yaml cannot be read \(ENOENT\)/],
    ['a missing module', ['--config', 'none.mjs'], /cannot load none\.mjs/],
  ])('exits with 2 for %s', async (_, args, message) => {
    const { exitCode, output, problem } = await runCommand(['check', ...args]);
    expect(problem).toMatch(message);
    expect(problem).not.toMatch(/^ +at /m);
    expect({ exitCode, output }).toEqual({ exitCode: 2, output: '' });
  });
});

describe('signalbox explain', () => {
  const routing = `${good}  careful: [anthropic/claude-opus-4-6]
  private: { targets: [openai/gpt-5.4-mini], requires: { zeroRetention: true } }
rules:
  - { name: free plan, when: { tags: { plan: free } }, use: [openai/gpt-5.4-nano] }
  - { name: long, when: { inputTokens: { above: 50000 } }, use: careful }
  - { name: tools, when: { tools: true }, use: careful }
  - { name: images, when: { images: true }, use: careful }
  - { name: files, when: { files: true }, use: careful }
  - { name: schema, when: { schema: true }, use: careful }
  - { name: hello, when: { matches: hello }, use: careful }
`;

  async function explain(...args: readonly string[]): Promise<CommandResult> {
    vi.stubEnv('OPENAI_API_KEY', key);
    return runCommand(['explain', file(routing), ...args]);
  }

  it('shows the targets of a call in order', async () => {
    const { exitCode, output } = await explain('--tier', 'fast');
    expect(output).toMatch(/^tier fast, no rule matches, strategy priority\n\nwould be tried/);
    expect(output).toMatch(/^1\. openai\/gpt-5\.4-mini.*\n2\. anthropic\/claude-haiku-4-5/m);
    expect(exitCode).toBe(0);
  });

  it.each<[string, readonly string[]]>([
    ['free plan', ['--tag', 'plan=free', '--tag', 'a=b']],
    ['long', ['--input-tokens', '50002']],
    ['tools', ['--tools']],
    ['images', ['--images']],
    ['files', ['--files']],
    ['schema', ['--schema']],
    ['hello', ['--prompt', 'hello']],
    ['hello', ['--prompt-file', file('Say hello.', 'txt')]],
  ])('names the rule %s', async (rule, args) => {
    const { output } = await explain('--tier', 'fast', '--json', ...args);
    expect((JSON.parse(output) as Explanation).rule).toBe(rule);
  });

  it('shows why a target is skipped, and exits with 1 when none is left', async () => {
    const { exitCode, output } = await explain('--tier', 'private');
    expect(output).toMatch(
      /no target can serve this call\n\nwould be skipped\nopenai\/gpt-5\.4-mini\n {3}it does not declare zeroRetention/,
    );
    expect(exitCode).toBe(1);
  });

  it('warns of variables that are not set, and explains', async () => {
    vi.stubEnv('OPENAI_API_KEY', undefined);
    const { exitCode, problem } = await runCommand(['explain', file(good), '--tier', 'fast']);
    expect(problem).toBe(
      'providers.openai.apiKey: the environment variable OPENAI_API_KEY is not set',
    );
    expect(exitCode).toBe(0);
  });

  it('shows the figures and warnings of candidates in 80 columns', () => {
    const long = `openai/${'long-'.repeat(20)}`;
    const figures = { usd: 0.000123456, firstTokenMs: 512.3, failureRate: 0.0512, score: 1.23456 };
    const candidates = [
      { target: 'a/b', key: 2, warnings: [], ...figures },
      { target: long, warnings: ['a warning '.repeat(12).trim()], usd: 2 },
    ];
    const skipped = [{ target: long, reason: 'its circuit is open', until: 0 }];
    const output = formatExplanation(
      { tier: 'fast', rule: 'r', strategy: 'balanced', inputTokens: 3, candidates, skipped },
      noTerminal,
    );
    expect(output).toMatch(/^would be tried +usd +first token +failures +score$/m);
    expect(output).toMatch(/^1\. a\/b \(key 2\) +\$0\.000123 +512 ms +5\.1 % +1\.23$/m);
    expect(output).toMatch(/^2\. openai.* \$2 +- +- +-$/m);
    expect(output).toMatch(/^ {5}a warning/m);
    expect(output).toMatch(/^ {3}its circuit is open, until 1970-01-01T00:00:00\.000Z$/m);
    expect(longestLine({ exitCode: 0, output, problem: '' })).toBeLessThanOrEqual(80);
  });

  it.each<[string, readonly string[], RegExp]>([
    ['no tier', [], /--tier is required/],
    ['an unknown tier', ['--tier', 'fats'], /no tier "fats"; did you mean "fast"\?/],
    ['a tag without a value', ['--tier', 'fast', '--tag', 'plan'], /--tag: must be <name>=<value>/],
    ['no tokens', ['--tier', 'fast', '--input-tokens', '0'], /must be an integer from 1/],
    ['two prompts', ['--tier', 'fast', '--prompt', 'a', '--input-tokens', '1'], /set one of/],
    ['a missing prompt', ['--tier', 'fast', '--prompt-file', 'none'], /cannot be read \(ENOENT\)/],
  ])('exits with 2 for %s', async (_, args, message) => {
    const { exitCode, output, problem } = await explain(...args);
    expect(problem).toMatch(message);
    expect({ exitCode, output }).toEqual({ exitCode: 2, output: '' });
  });

  it('exits with 2 for an invalid document', async () => {
    const path = file(good.replace('type: openai', 'type: openia'));
    const { exitCode, problem } = await runCommand(['explain', path, '--tier', 'fast']);
    expect(problem).toMatch(/providers\.openai\.type .*: there is no provider of type "openia"/);
    expect(exitCode).toBe(2);
  });
});

describe('signalbox drill', () => {
  it('takes a document with providers, whose variables must be set', async () => {
    const vendors = await simulateProviders();
    const path = file(`env: [OPENAI_API_KEY]
providers:
  openai: { type: openai, apiKey: '\${OPENAI_API_KEY}', baseURL: '${vendors.openai.baseURL}' }
  anthropic: { type: anthropic, apiKey: none, baseURL: '${vendors.anthropic.baseURL}' }
tiers:
  fast: [openai/gpt-5.4-mini, anthropic/claude-haiku-4-5]
`);
    const args = ['drill', path, '--tier', 'fast', '--fault', 'overloaded', '--calls', '2'];
    vi.stubEnv('OPENAI_API_KEY', undefined);
    expect(await runCommand(args)).toMatchObject({
      exitCode: 2,
      problem: expect.stringContaining('variable OPENAI_API_KEY is not set'),
    });
    vi.stubEnv('OPENAI_API_KEY', key);
    const { exitCode, output } = await runCommand(args);
    await vendors.close();
    expect(output).toMatch(/^passed$/m);
    expect(exitCode).toBe(0);
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { isSignalboxError, type SignalboxError } from '../../src/errors.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'load-config-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function fileWith(name: string, text: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, text);
  return path;
}

/** The error of a load that must fail. */
async function errorOf(loading: Promise<unknown>): Promise<SignalboxError> {
  const error = await loading.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isSignalboxError(error, 'config')) throw new Error(`not a config error: ${String(error)}`);
  return error;
}

const yaml = (text: string) => loadConfig({ text, format: 'yaml' });
const json = (text: string) => loadConfig({ text, format: 'json' });

const document = `
# yaml-language-server: $schema=./node_modules/signalbox/config.schema.json
tiers:
  fast: [openai/gpt-5.4-mini, anthropic/claude-haiku-4-5]
  careful:
    targets:
      - target: anthropic/claude-opus-4-6
        maxOutputTokens: 800
    fallbackTier: fast
prices:
  openai/gpt-5.4-mini: { input: 0.75, output: 4.5 }
pricesDate: 2026-11-30
`;

describe('loadConfig', () => {
  it('loads YAML for createRouter', async () => {
    const data = await loadConfig(await fileWith('routing.yaml', document), {
      tiers: ['fast', 'careful'],
    });
    const providers = { openai: fakeProvider('hi'), anthropic: fakeProvider('hello') };
    const router = createRouter({ providers, ...data });
    expect((await router.complete('careful', 'hi')).target).toBe('anthropic/claude-opus-4-6');
    expect(router.snapshot().pricesDate).toBe('2026-11-30');
    await router.close();
  });

  it('loads JSON, and ignores its $schema', async () => {
    const path = await fileWith(
      'routing.json',
      '{ "$schema": "./config.schema.json", "tiers": { "fast": ["a/m"] } }',
    );
    expect(await loadConfig(path)).toEqual({ tiers: { fast: ['a/m'] } });
  });

  it('copies data that is parsed already', async () => {
    const data = { $schema: 'x', tiers: { fast: ['a/m'] } };
    expect(await loadConfig({ data })).toEqual({ tiers: { fast: ['a/m'] } });
    expect(data.$schema).toBe('x');
  });

  it('reports every problem with its path and position', async () => {
    const error = await errorOf(
      loadConfig(
        await fileWith(
          'broken.yaml',
          'tiers:\n  fast:\n    targets: [openai]\n    stratgy: cheapest\n',
        ),
      ),
    );
    expect(error.problems).toEqual([
      expect.objectContaining({ path: 'tiers.fast.targets[0]', line: 3, column: 15 }),
      {
        path: 'tiers.fast.stratgy',
        message: 'unknown option; did you mean "strategy"?',
        line: 4,
        column: 5,
      },
    ]);
    expect(error.message).toContain('tiers.fast.stratgy (broken.yaml:4:5): unknown option');
  });

  it('lets createRouter report positions too', async () => {
    const data = await loadConfig(await fileWith('typo.yaml', 'tiers:\n  fast:\n    - opnai/m\n'));
    expect(() => createRouter({ providers: { openai: fakeProvider() }, ...data })).toThrow(
      'tiers.fast.targets[0] (typo.yaml:3:7): provider "opnai" is not configured; did you mean "openai"?',
    );
  });

  it('does not report positions of parts that replace those of the document', async () => {
    const data = await yaml('tiers: { fast: [a/m] }');
    const create = () =>
      createRouter({
        providers: { a: fakeProvider() },
        ...data,
        prices: { 'b/m': { input: 1, output: 1 } },
      });
    expect(create).toThrow('prices.b/m: provider "b" is not configured');
  });

  it('reports tiers that the program calls and the document lacks', async () => {
    const loading = loadConfig(
      { text: '{"tiers": {\n"fast": ["a/m"]}}', format: 'json' },
      { tiers: ['fats'] },
    );
    expect((await errorOf(loading)).problems).toEqual([
      {
        path: 'tiers',
        message: 'the program calls a tier "fats", which is not defined; did you mean "fast"?',
        line: 1,
        column: 2,
      },
    ]);
  });

  it.each([
    ['a missing file', 'nowhere.yaml', /nowhere\.yaml cannot be read \(ENOENT\)/],
    ['a directory', '.', /must end with \.yaml, \.yml or \.json/],
    ['an unknown kind of file', 'config.toml', /must end with \.yaml, \.yml or \.json/],
  ])('rejects %s', async (_, path, message) => {
    expect((await errorOf(loadConfig(join(directory, path)))).message).toMatch(message);
  });

  it.each([
    ['a number', 7, 'must be an object'],
    ['a list', [], 'must be an object'],
    ['a function', { tiers: { t: () => 'p/m' } }, 'must be plain data'],
  ])('rejects data that is or contains %s', async (_, data, message) => {
    const error = await errorOf(loadConfig({ data: data as object }));
    expect(error.problems).toEqual([
      { path: 'configuration', message: expect.stringContaining(message) },
    ]);
  });

  it('rejects arguments of other types', async () => {
    const wrong = loadConfig as (from: unknown, options?: unknown) => Promise<unknown>;
    await errorOf(wrong(undefined));
    await errorOf(wrong({ text: 7, format: 'json' }));
    await errorOf(wrong({ text: '', format: 'toml' }));
    await errorOf(wrong({ data: { tiers: { t: ['p/m'] } } }, { tiers: 't' }));
  });

  it('reports cycles in data', async () => {
    const data: Record<string, unknown> = { tiers: { t: ['p/m'] } };
    data.tags = data;
    expect((await errorOf(loadConfig({ data }))).problems?.[0]?.path).toBe('tags');
  });

  it('rejects providers in a document', async () => {
    const error = await errorOf(yaml('tiers: { fast: [a/m] }\nproviders: { a: { type: openai } }'));
    expect(error.problems).toEqual([expect.objectContaining({ path: 'providers', line: 2 })]);
  });
});

/** How a document refers to a variable. */
const reference = (name: string): string => `\${${name}}`;

describe('variables of the environment', () => {
  const text = (list: string, value: string) =>
    `env: ${list}\ntiers: { fast: [a/m] }\ndefaults: { system: '${value}' }\n`;
  const load = async (list: string, value: string) =>
    loadConfig(await fileWith('env.yaml', text(list, value)));

  it('replaces those that the document lists', async () => {
    vi.stubEnv('SB_REGION', 'eu');
    const { defaults, ...rest } = await load(
      '[SB_REGION]',
      `in ${reference('SB_REGION')}, not $${reference('SB_REGION')}`,
    );
    expect(defaults?.system).toBe(`in eu, not ${reference('SB_REGION')}`);
    expect(rest).toEqual({ tiers: { fast: ['a/m'] } });
  });

  it('leaves text alone when the document lists none', async () => {
    const path = await fileWith('no-env.yaml', text('', reference('HOME')).replace('env: \n', ''));
    expect((await loadConfig(path)).defaults?.system).toBe(reference('HOME'));
  });

  it.each([
    [
      'that is not listed',
      '[SB_REGION]',
      reference('HOME'),
      'defaults.system',
      'is not listed in "env"',
    ],
    ['that is not set', '[SB_NOWHERE]', reference('SB_NOWHERE'), 'defaults.system', 'is not set'],
    ['without a name', '["a b"]', 'x', 'env[0]', 'must be the name'],
    ['without a list', 'HOME', 'x', 'env', 'must be a list of names'],
  ])('rejects one %s', async (_, list, value, path, message) => {
    vi.stubEnv('SB_REGION', 'eu');
    const { problems } = await errorOf(load(list, value));
    expect(problems).toEqual([
      expect.objectContaining({ path, message: expect.stringContaining(message) }),
    ]);
    expect(JSON.stringify(problems)).not.toContain(process.env.HOME ?? 'HOME');
  });

  it('are not available to documents that are no local files', async () => {
    const { problems } = await errorOf(yaml(text('[HOME]', reference('HOME'))));
    expect(problems?.map(({ path }) => path)).toEqual(['env']);
  });
});

describe('a key in a document', () => {
  const key = 'sk-proj-Abcdefgh12345678Abcdefgh';

  it.each([
    ['a value', `defaults: { system: "use ${key}" }`, 'defaults.system'],
    ['a short value', 'tags: { key: sk-abc123def }', 'tags.key'],
    ['a name', `tags: { ${key}: x }`, 'tags'],
    [
      'a target',
      `providerLimits: {}\ndefaults: { userId: AIzaSyA1234567890abcdefg }`,
      'defaults.userId',
    ],
  ])('is refused as %s, and not repeated', async (_, part, path) => {
    const { problems, message } = await errorOf(yaml(`tiers: { fast: [a/m] }\n${part}\n`));
    expect(problems).toEqual([expect.objectContaining({ path, line: expect.any(Number) })]);
    expect(message).not.toContain('Abcdefgh');
  });

  it('is refused when it comes from the environment', async () => {
    vi.stubEnv('SB_KEY', key);
    const path = await fileWith(
      'key.yaml',
      `env: [SB_KEY]\ntiers: { fast: [a/m] }\ndefaults: { system: "${reference('SB_KEY')}" }\n`,
    );
    expect((await errorOf(loadConfig(path))).problems?.[0]?.path).toBe('defaults.system');
  });

  it('is not seen in names of models and prose', async () => {
    const text =
      'tiers: { fast: [a/hf-mistral-7b-instruct-v0.2, a/pplx-70b-online, a/fw-internal/llama] }\ndefaults: { system: "You know sk-learn and task-oriented dialogues." }';
    await expect(yaml(text)).resolves.toBeDefined();
  });
});

describe('the two formats', () => {
  it('give the same data', async () => {
    const value = {
      tiers: { 'a "b" \\ é\u2028': ['a/m'], constructor: ['a/m'], toString: ['a/m'] },
      defaults: { temperature: 1.5e-3, stop: ['\n', '\u0001'], parallelToolCalls: true },
      tags: {},
    };
    const text = JSON.stringify(value, null, 2);
    expect(await json(text)).toEqual(value);
    expect(await json(`\uFEFF${text}\r\n`)).toEqual(value);
    expect(await yaml(text)).toEqual(value);
  });

  it('share values between aliases and their anchor', async () => {
    const data = await yaml(
      'tiers:\n  a: { targets: [p/m], timeouts: &slow { totalMs: 90000 } }\n  b: { targets: [p/n], timeouts: *slow }\n',
    );
    expect(data.tiers.b).toEqual({ targets: ['p/n'], timeouts: { totalMs: 90_000 } });
  });
});

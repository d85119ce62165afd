import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { profiles } from '../../src/adapters/compatible/profiles.ts';
import { SignalboxError } from '../../src/errors.ts';
import { openai } from '../../src/openai.ts';
import type { Provider } from '../../src/protocol/provider.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';
import { rowsOf } from '../docs/markdown.ts';
import { liveCases, wrongKey } from './cases.ts';
import { describeFailure } from './describe-failure.ts';
import { type LiveSetting, liveCommand } from './live-command.ts';
import type { LiveReport } from './report.ts';
import type { CaseResult } from './run-vendor.ts';
import { startSimulatedVendors } from './simulated-vendors.ts';
import { type LiveVendor, liveVendors } from './vendors.ts';

const environment = {};
const names = liveVendors.map(({ name }) => name);
const openaiKey = 'sk-live-0123456789abcdef';

async function simulate(
  args: readonly string[],
  setting: Omit<LiveSetting, 'environment'> = {},
): Promise<{ readonly exitCode: number; readonly report: LiveReport }> {
  const result = await liveCommand([...args, '--simulated', '--json'], { environment, ...setting });
  expect(result.problem).toBe('');
  return { exitCode: result.exitCode, report: JSON.parse(result.output) };
}

function failuresIn({ vendors }: LiveReport): readonly string[] {
  return vendors.flatMap(({ vendor, cases }) =>
    cases
      .filter(({ status }) => status === 'failed')
      .map(({ name, reason }) => `${vendor}: ${name}: ${reason}`),
  );
}

function caseOf({ vendors }: LiveReport, name: string): CaseResult | undefined {
  return vendors[0]?.cases.find((each) => each.name === name);
}

/** The vendor with an adapter whose parts are changed. */
function planted(
  name: string,
  change: (part: ProviderPart) => readonly ProviderPart[],
): readonly LiveVendor[] {
  const wrap = (provider: Provider): Provider => ({
    ...provider,
    prepare: (request) => {
      const prepared = provider.prepare(request);
      const send: typeof prepared.send = async function* (context) {
        for await (const batch of prepared.send(context)) yield batch.flatMap(change);
      };
      return { ...prepared, send };
    },
  });
  return liveVendors
    .filter((vendor) => vendor.name === name)
    .map((vendor) => ({ ...vendor, create: (...args) => wrap(vendor.create(...args)) }));
}

describe('every vendor passes every case that applies', () => {
  it('includes all compatible vendors', () => {
    expect(names).toEqual(expect.arrayContaining(Object.keys(profiles)));
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(names)('%s', async (name) => {
    const { exitCode, report } = await simulate(['--providers', name]);
    expect(failuresIn(report)).toEqual([]);
    expect(exitCode).toBe(0);
    const [{ cases } = { cases: [] }] = report.vendors;
    expect(cases.map((each) => each.name)).toEqual(liveCases.map((each) => each.name));
    const always = ['answers in one piece', 'ends at an abort', 'fills a schema'];
    for (const each of always) expect(caseOf(report, each)?.status).toBe('passed');
  });
});

describe('a mistake of the adapter', () => {
  it('is reported when the usage is lost', async () => {
    const vendors = planted('openai', (part) =>
      part.type === 'finish' ? [{ ...part, usage: undefined }] : [part],
    );
    const { exitCode, report } = await simulate([], { vendors });
    expect(exitCode).toBe(1);
    expect(failuresIn(report)).toEqual([
      'openai: reports usage and cost, streamed or not: the answer has no usage',
    ]);
    expect(caseOf(report, 'answers in one piece')).toMatchObject({ usd: null });
  });

  it.each([
    ['text-delta', 'the text deltas add up to the text parts'],
    ['finish', 'there is exactly one finish'],
  ])('is reported when a %s is lost', async (type, reason) => {
    const vendors = planted('anthropic', (part) => (part.type === type ? [] : [part]));
    const { exitCode, report } = await simulate([], { vendors });
    expect(exitCode).toBe(1);
    expect(caseOf(report, 'answers in one piece')).toMatchObject({ status: 'failed', reason });
  });

  it('is reported when an abort is ignored', async () => {
    const vendors = liveVendors
      .filter(({ name }) => name === 'google')
      .map((vendor) => ({
        ...vendor,
        create: (...args: Parameters<LiveVendor['create']>) => {
          const provider = vendor.create(...args);
          const prepare: Provider['prepare'] = (request) => {
            const prepared = provider.prepare(request);
            const { signal } = new AbortController();
            return { ...prepared, send: (context) => prepared.send({ ...context, signal }) };
          };
          return { ...provider, prepare };
        },
      }));
    const { report } = await simulate([], { vendors });
    expect(failuresIn(report)).toEqual(['google: ends at an abort: the answer went on to its end']);
  });
});

describe('a vendor that does not answer', () => {
  it('is one useful line, and the other cases are not tried', async () => {
    const { exitCode, report } = await simulate(['--providers', 'mistral'], {
      onSimulated: ({ close }) => close(),
    });
    expect(exitCode).toBe(1);
    expect(failuresIn(report)).toEqual([
      expect.stringMatching(/^mistral: answers in one piece: connection: .*ECONNREFUSED/),
    ]);
    const [, ...others] = report.vendors[0]?.cases ?? [];
    expect(new Set(others.map(({ reason }) => reason))).toEqual(
      new Set(['not tried after connection']),
    );
    expect(report.spentUsd).toBe(0);
  });

  it('is one useful line for a rejected key, without the words of the vendor', async () => {
    const { exitCode, report } = await simulate(['--providers', 'openai,groq'], {
      onSimulated: ({ openai }) => void openai.fault({ type: 'status', kind: 'auth' }),
    });
    expect(exitCode).toBe(1);
    const [line = '', ...others] = failuresIn(report);
    expect(line).toMatch(/^openai: answers in one piece: auth: .*401/);
    expect(line).not.toContain('the vendor:');
    expect(others).toEqual([]);
  });

  it('is asked again after the wait that it requests', async () => {
    const { exitCode, report } = await simulate(['--providers', 'anthropic'], {
      onSimulated: ({ anthropic }) =>
        void anthropic.fault(
          { type: 'status', kind: 'rate_limited', retryAfterSeconds: 1 },
          { times: 1 },
        ),
    });
    expect(exitCode).toBe(0);
    expect(caseOf(report, 'answers in one piece')).toMatchObject({
      status: 'passed',
      reason: 'after rate_limited, waited 1000 ms',
    });
  });

  it('has its own words in the report, in one bounded line', async () => {
    const message = `The parameter temperature is not supported. ${'x '.repeat(300)}\nsecond line`;
    const { report } = await simulate(['--providers', 'xai'], {
      onSimulated: ({ compatible }) =>
        void compatible.fault({ type: 'status', status: 400, message }),
    });
    const { reason = '' } = caseOf(report, 'answers in one piece') ?? {};
    expect(reason).toMatch(/; the vendor: The parameter temperature is not supported\./);
    expect(reason).not.toContain('second line');
    expect(reason.length).toBeLessThan(500);
  });
});

describe('the reason for a failure', () => {
  it('hides keys, ids and addresses', () => {
    const [vendor] = liveVendors;
    if (vendor === undefined) throw new Error('there are no vendors');
    const cause = new Error(
      `Key ${openaiKey} of org-AbCdEfGhIjKlMnOpQrSt (a.person@example.com, sk-a****f1, pin-77) has no access to gpt-6-luna.`,
    );
    cause.name = 'VendorError';
    const error = new SignalboxError('permission', 'permission denied (403)', { cause });
    const line = describeFailure(error, {
      vendor: { ...vendor, variables: [['OPENAI_API_KEY'], ['PIN']] },
      model: 'gpt-6-luna',
      connection: {},
      environment: { OPENAI_API_KEY: openaiKey, PIN: 'pin-77' },
    });
    expect(line).toBe(
      'permission: permission denied (403); the vendor: Key … of … … … …) has no access to gpt-6-luna.',
    );
  });
});

describe('the cap on spend', () => {
  it('stops before a request that could exceed it', async () => {
    const { exitCode, report } = await simulate(['--providers', 'anthropic', '--max-usd', '0.01']);
    expect(report.spentUsd).toBeGreaterThan(0);
    expect(report.spentUsd).toBeLessThanOrEqual(0.01);
    expect(caseOf(report, 'answers in one piece')?.status).toBe('passed');
    expect(caseOf(report, 'reasons')).toMatchObject({
      status: 'skipped',
      reason: expect.stringMatching(/left of --max-usd 0\.01$/),
    });
    expect(exitCode).toBe(0);
  });

  it('is an unsuccessful run when it leaves room for no case', async () => {
    const args = ['--providers', 'deepseek', '--max-usd', '0.0000001'];
    const { exitCode, report } = await simulate(args);
    expect(exitCode).toBe(1);
    expect(report.spentUsd).toBe(0);
  });

  it('is announced with an upper bound before the first request', async () => {
    const lines: string[] = [];
    const onProgress = (line: string): void => void lines.push(line);
    await simulate(['--providers', 'openai'], { onProgress });
    expect(lines[0]).toMatch(/^Sends requests to simulated vendors.*\n {2}openai \(gpt-6-luna\)/);
    expect(lines).toHaveLength(1 + liveCases.length);
  });
});

describe('npm run live', () => {
  const problemOf = async (args: readonly string[], variables = {}): Promise<string> => {
    const result = await liveCommand(args, { environment: variables });
    expect(result).toMatchObject({ exitCode: 2, output: '' });
    return result.problem;
  };

  it('names the variables when no key is set', async () => {
    const problem = await problemOf([], { OPENAI_API_KEY: ' ' });
    expect(problem).toMatch(/^live: no key was found in the environment/);
    expect(problem).toContain('google: GEMINI_API_KEY or GOOGLE_API_KEY');
    expect(problem).toContain('azure: AZURE_OPENAI_API_KEY, and AZURE_OPENAI_RESOURCE or');
    expect(problem).not.toContain('ollama');
  });

  it.each([
    [['--providers', 'mistral'], 'live: mistral: set MISTRAL_API_KEY'],
    [
      ['--providers', 'mistal'],
      'live: --providers: there is no vendor "mistal": did you mean "mistral"?',
    ],
    [
      ['--providers', 'ollama'],
      'live: ollama: name an installed model with --model ollama=<model>',
    ],
    [['--model', 'openai'], 'live: --model: "openai" is not of the form <vendor>=<model>'],
    [['--max-usd', 'much'], 'live: --max-usd: "much" is not a positive number'],
    [['--max-usd', '-1'], 'live: --max-usd'],
    [['--fast'], "live: Unknown option '--fast'"],
  ])('rejects %j', async (args, problem) => {
    expect(await problemOf(args)).toContain(problem.replace('live: --max-usd', '--max-usd'));
  });

  it('prints Markdown with versions and one row per case, and no key', async () => {
    const args = ['--simulated', '--providers', 'google', '--model', 'google=gemini-3-flash'];
    const { output } = await liveCommand(args, { environment: { GEMINI_API_KEY: openaiKey } });
    expect(output).toMatch(/^## signalbox live contract \(simulated vendors\)\n/);
    expect(output).toMatch(/signalbox \d+\.\d+\.\d+, openai \d+\.\d+/);
    expect(output).toContain('### google, `gemini-3-flash`: ');
    for (const { name } of liveCases) expect(output).toContain(`\n| ${name} | `);
    expect(output).not.toContain(openaiKey);
  });

  describe('with a key in the environment', () => {
    const run = async (key: string) => {
      vi.stubEnv('OPENAI_API_KEY', key);
      const simulators = await startSimulatedVendors(['gpt-6-luna', 'text-embedding-3-small']);
      const { baseURL } = simulators.openai;
      const vendors = liveVendors.map(
        (vendor): LiveVendor =>
          vendor.name === 'openai'
            ? { ...vendor, create: (connection) => openai({ baseURL, ...connection }) }
            : vendor,
      );
      const args = ['--providers', 'openai', '--json'];
      try {
        const result = await liveCommand(args, { environment: process.env, vendors });
        const report: LiveReport = JSON.parse(result.output);
        expect(result.output).not.toContain(key);
        return { ...result, report, requests: simulators.openai.log };
      } finally {
        await simulators.close();
      }
    };

    it('runs against the vendor with that key, and counts what was billed', async () => {
      const { exitCode, report, requests } = await run(openaiKey);
      expect(failuresIn(report)).toEqual([]);
      expect(exitCode).toBe(0);
      expect(report).toMatchObject({ mode: 'live', maxUsd: 0.05 });
      expect(report.notConfigured).toContain('mistral');
      expect(report.spentUsd).toBeGreaterThan(0);
      expect(report.spentUsd).toBeLessThan(0.05);
      expect(new Set(requests.map(({ key }) => key))).toEqual(new Set([openaiKey, wrongKey]));
    });

    it('ends after one request when the vendor rejects the key', async () => {
      const { exitCode, report, requests } = await run(wrongKey);
      expect(exitCode).toBe(1);
      expect(failuresIn(report)).toEqual([
        expect.stringMatching(/^openai: answers in one piece: auth: .*401/),
      ]);
      expect(requests).toHaveLength(1);
      expect(report.spentUsd).toBe(0);
    });
  });

  it('runs as a command', async () => {
    const run = promisify(execFile);
    const script = join(import.meta.dirname, 'run.ts');
    const args = ['--no-warnings', script, '--simulated', '--providers', 'cohere'];
    const { stdout, stderr } = await run(process.execPath, args);
    expect(stdout).toContain('### cohere, `command-r7b-12-2024`');
    expect(stderr).toContain('cohere: answers in one piece: passed');
  });
});

describe('docs/live.md', () => {
  const page = 'docs/live.md';

  it('has a row for every case, with its requests', () => {
    const documented = rowsOf(page, 'Cases').slice(2);
    const expected = liveCases.map(({ name, requests }) => [
      name,
      requests === 0 ? '1, not billed' : String(requests),
    ]);
    expect(documented).toEqual(expected);
  });

  it('names every vendor', () => {
    const documented = rowsOf(page, 'Vendors').map(([cell = '']) => cell);
    for (const name of names) expect(documented.join()).toMatch(new RegExp(`\\b${name}\\b`));
  });
});

import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';

const root = new URL('..', import.meta.url);
const keys = ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'GOOGLE_API_KEY'];

/** Colours off, no vendor real, and no trace of the test runner that this runs in. */
const environment = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !keys.includes(name) && !/^(FORCE_COLOR|NODE_TEST_CONTEXT|VITEST.*)$/.test(name),
    ),
  ),
  NO_COLOR: '1',
};

type Run = { readonly code: number | string; readonly stdout: string; readonly stderr: string };

/** Runs an example as a reader of the README would. Needs `dist`, which `npm test` builds first. */
function run(file: string, env: Readonly<Record<string, string>> = {}): Promise<Run> {
  const options = { cwd: root, env: { ...environment, ...env }, timeout: 300_000 };
  return new Promise((resolve) => {
    execFile(process.execPath, [`examples/${file}`], options, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? (error === null ? 0 : 'killed'), stdout, stderr });
    });
  });
}

/** A line that shows that the example did what it is there to show. */
const keyLines: Readonly<Record<string, RegExp>> = {
  '01-first-answer.ts': /^openai\/gpt-5\.4-mini in \d+ ms\n\d+ tokens, 0\.\d+ US dollars$/m,
  '02-failover.ts':
    /^failover from openai\/gpt-5\.4-mini to anthropic\/claude-haiku-4-5, because of connection$/m,
  '03-stream-to-web-response.ts': /^200 text\/plain\n(chunk: .*\n){2,}/m,
  '04-tools.ts':
    /^call: get_weather\(\{"city":"Lisbon"\}\)\nanswer: It is 21 degrees and clear in Lisbon\.$/m,
  '05-structured-output.ts':
    /^Lisbon \(PT\): 567,131 people\n.*invalid_output -> retry\n.* -> done$/m,
  '06-cost-by-feature.ts': /^total: \$0\.000[1-9]\d*, and 0 answers of unknown price$/m,
  '07-log-with-pino.ts': /"level":40,.*"to":"anthropic\/claude-haiku-4-5".*"msg":"failover"/,
  '08-test-with-the-fake.ts': /pass 1\n.*fail 0$/m,
};

describe.concurrent('examples', () => {
  test('the demo loses no request of a hundred, and its bills agree', async () => {
    const { code, stdout, stderr } = await run('demo.ts');
    expect(code, stderr || stdout).toBe(0);
    expect(stdout).toMatch(/^ {2}100 answered, 0 lost\. [1-9]\d* of them/m);
    expect(stdout).toMatch(/✓ the same$/m);
    for (const happening of ['circuit opens', 'circuit closes', 'rate limited', 'stalled ↷']) {
      expect(stdout).toContain(happening);
    }
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(stripVTControlCharacters(stdout)).toBe(stdout);
  }, 300_000);

  test.for(Object.entries(keyLines))(
    '%s runs and says what it should',
    { timeout: 300_000 },
    async ([file, keyLine]) => {
      const { code, stdout, stderr } = await run(file);
      expect(code, stderr || stdout).toBe(0);
      expect(stdout).toMatch(keyLine);
    },
  );

  test('no numbered example is left out of this file', () => {
    const files = readdirSync(new URL('examples/', root)).filter((file) => /^\d/.test(file));
    expect(new Set(files)).toEqual(new Set(Object.keys(keyLines)));
  });
});

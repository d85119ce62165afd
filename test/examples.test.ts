import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';

const root = new URL('..', import.meta.url);
const keys = ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'GOOGLE_API_KEY'];

/** Without colours, vendor keys, and the variables of this test runner. */
const environment = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !keys.includes(name) && !/^(FORCE_COLOR|NODE_TEST_CONTEXT|VITEST.*)$/.test(name),
    ),
  ),
  NO_COLOR: '1',
};

type Run = { readonly code: number | string; readonly stdout: string; readonly stderr: string };

/** Runs a program in a child process. Requires `dist`, which `npm test` builds first. */
function run(...command: readonly string[]): Promise<Run> {
  const options = { cwd: root, env: environment, timeout: 300_000 };
  return new Promise((resolve) => {
    execFile(process.execPath, command, options, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? (error === null ? 0 : 'killed'), stdout, stderr });
    });
  });
}

/** The output that each example must print. */
const keyLines: Readonly<Record<string, RegExp>> = {
  '01-first-answer.ts': /^openai\/gpt-5\.4-mini in \d+ ms\n\d+ tokens, 0\.\d+ US dollars$/m,
  '02-failover.ts':
    /^failover from openai\/gpt-5\.4-mini to anthropic\/claude-haiku-4-5, because of connection$/m,
  '03-stream-to-web-response.ts': /^200 text\/plain\n(chunk: .*\n){2,}/m,
  '04-tools.ts':
    /^call: get_weather\(\{"city":"Lisbon"\}\)\nanswer: It is 21 degrees and clear in Lisbon\.$/m,
  '05-structured-output.ts':
    /^Lisbon \(PT\): 567,131 people\n.*invalid_output -> retry\n.* -> done$/m,
  '06-cost-by-feature.ts': /^total: \$0\.000[1-9]\d*, and 0 answers without a known price$/m,
  '07-log-with-pino.ts': /"level":40,.*"to":"anthropic\/claude-haiku-4-5".*"msg":"failover"/,
  '08-test-with-the-fake.ts': /pass 1\n.*fail 0$/m,
  '09-config-file.ts':
    /^answered by openai.*\nversion 2, from file routing\.yaml: \d+ changes\nanswered by anthropic.*\n2:10 provider "antropic" is not configured; did you mean "anthropic"\?\nanswered by anthropic/m,
  '18-audit-log.ts':
    /^policy_blocked\nann: ok openai\/\S+\nbob: error password\n3 lines, intact\n\/audit\.jsonl:3 was changed, or the line before it\n1 problems in 3 lines$/m,
  '19-policies.ts':
    /^tools: deny \(destructive\)\n0 tool calls to run\ninjection: block \(\S+\)\nnothing was sent: plugin "injection" blocked/m,
  '14-a-customers-own-key.ts':
    /^acme: openai\/\S+\nask initech for another key of openai\ninitech: anthropic\/\S+: auth\n(?:.*\n)*acme: openai\/\S+\nhooli: anthropic\/\S+: auth\n2 keys, 1 of them unavailable$/m,
  '17-response-cache.ts':
    /^ten at once: 1 request\nagain: cached true, \$0, saved true\nanother tenant: cached false\na stream of the same answer\n2 requests for 13 calls, saved: true$/m,
  '10-who-may-serve.ts':
    /^public: openai\/\S+ \(no rule\)\nhealth: google\/\S+ \(rule "health data"\)\nno target may serve it:\n(?:.*\n)+.*requires\.regions has "mars"$/m,
  '15-budgets.ts':
    /^ann: anthropic.*\nann: anthropic.*\nann: over budget "user", answer with 402\nbob: anthropic.*\nsearch: openai\/\S+, because over budget "search"\nuser ann: 2 of 2 requests$/m,
  '13-feedback.ts':
    /^feedback: openai\/\S+ 0\.4 \(edited\)\nfirst openai\/\S+, in the end anthropic\/\S+\nopenai\/\S+: its quality is 0\.4, and requires\.minQuality is 0\.7\ndemoted too: openai\/\S+, anthropic/m,
  '20-redact-pii.ts':
    /^sent: Reply to Ada \(customer <CUSTOMER_1>, <EMAIL_1>, <PHONE_1>\)\.\nread: Dear Ada, we will write to ada@example\.com and call \*\*030 9018200\*\*\.$/m,
  '16-reports.ts':
    /^anthropic\/\S+: 3 attempts, 0 failed, \$0\.00\d+\n(?:.*\n)*chat: 1 calls, \$0\.00\d+ each, quality 0\.9\n(?:.*\n)*CSV: 2 lines, 25 columns\nfeature +requests .*\n(?:.*\n)*chat +1 +0 /m,
  '24-evals.ts':
    /^a run takes 100 calls\nopenai\/\S+: 0\.5 regressed, 23 cases are worse\nanthropic\/\S+: 1 steady, 0 cases are worse\nthis run cost \$0\.0\d+/m,
  '29-drift.ts':
    /^first: openai\/\S+\nopenai\/\S+ lost 50 points, and is demoted\n {2}such as case .*: 1 -> 0\nfirst: anthropic\/\S+\nopenai\/\S+ is restored\nfirst: openai\/\S+\ncan openai\/\S+ replace the other one\? not enough data\n40 cases, about \d+ are needed$/m,
  '22-ai-sdk.ts':
    /^It is 21 degrees and clear in Lisbon\.\ntool-calls: anthropic\/\S+, \d attempts, .*\nstop: anthropic\/\S+, \d attempts, \{"usd":0\.0\d+/m,
  '22-openai-server.ts':
    /^anthropic\/claude-haiku-4-5: .+\nstreamed: .+\nmodels of ann: chat\nsecret: 404 model_not_found$/m,
  '21-opentelemetry.ts':
    /^POST \/search\n {2}signalbox fast.* {2}signalbox\.failover.*\n(?: {4}chat gpt-5\.4-mini {2}connection\n)+ {4}chat claude-haiku-4-5 {2}\d+ tokens\n(?:.*\n)*signalbox_cost_total\{.*\} 0\.\d+/m,
  '23-ask-before-deleting.ts':
    /^denied: delete_volume \(no-approval\)\nthe agent: Ask an administrator\.\nvolumes: staging, production\nasks: delete_volume \{ id: 'production' \}\ndenied: delete_volume \(not-approved\)\nafter a no: .*\nvolumes: staging, production$/m,
  '27-mcp.ts':
    /^delete_index: asks first\nsearch: runs at once\nrefused: the MCP server has changed the description .* "search": .*sha256-\S+ by sha256-\S+\nanswered by openai\/\S+$/m,
  '11-choose-and-check.ts':
    /^priority: openai.*\nround-robin: .*\nleast-busy: .*\ncheapest: .*\nfastest: .*\nweighted: \d+ of 10\nbalanced: .*\nchecked: invalid_output, then anthropic\/\S+: \{ "city": "Lisbon" \}\n0 may take an image: lacks vision$/m,
  '12-follow-sources.ts':
    /^answered by openai.*\nanswered by anthropic\S+, exact\nfunction: 2026-11-30\n@pydantic\/genai-prices: [\d-]{10}\nsignalbox: [\d-]{10}$/m,
};

/** These write to standard output themselves, or are about their process. The others run in one. */
const alone = [
  '07-log-with-pino.ts',
  '08-test-with-the-fake.ts',
  '16-reports.ts',
  '18-audit-log.ts',
  '22-ai-sdk.ts',
  '27-mcp.ts',
];

async function runTogether(files: readonly string[]): Promise<ReadonlyMap<string, Run>> {
  const program = 'test/support/run-examples.ts';
  const { code, stdout, stderr } = await run('--no-warnings', program, ...files);
  if (code !== 0) throw new Error(stderr || stdout);
  const outcomes = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return new Map(
    outcomes.map(({ file, error = '', ...outcome }) => [
      file,
      { code: error === '' ? 0 : 1, stdout: outcome.stdout, stderr: error },
    ]),
  );
}

let together: ReadonlyMap<string, Run>;
beforeAll(async () => {
  together = await runTogether(Object.keys(keyLines).filter((file) => !alone.includes(file)));
}, 300_000);

describe.concurrent('examples', () => {
  test('the demo answers all 100 requests and its costs agree', async () => {
    const { code, stdout, stderr } = await run('examples/demo.ts');
    expect(code, stderr || stdout).toBe(0);
    expect(stdout).toMatch(/^ {2}100 answered, 0 lost\. [1-9]\d* of them/m);
    expect(stdout).toMatch(/✓ equal$/m);
    expect(stdout).toMatch(/budget used up +frontier {2}cheaper targets answer/);
    expect(stdout).toMatch(/^ {2}budget frontier: \$0\.0[789]\d+ of \$0\.10000 spent, until/m);
    for (const incident of ['circuit opens', 'circuit closes', 'rate limited', 'stalled ↷']) {
      expect(stdout).toContain(incident);
    }
    expect(stdout).toMatch(
      /new configuration +file routing\.yaml {2}version 2, changed: tiers\.fast/,
    );
    const [before = '', after = ''] = stdout.split('new configuration');
    expect(before).not.toMatch(/ fast +google\/\S+ +\d+ ms +\S+$/m);
    expect(after).toMatch(/ fast +google\/\S+ +\d+ ms +\S+$/m);
    expect(after).not.toMatch(/ fast +openai/);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(stripVTControlCharacters(stdout)).toBe(stdout);
  }, 300_000);

  test.for(Object.entries(keyLines))(
    '%s prints the expected output',
    { timeout: 300_000 },
    async ([file, keyLine]) => {
      const { code, stdout, stderr } = together.get(file) ?? (await run(`examples/${file}`));
      expect(code, stderr || stdout).toBe(0);
      expect(stdout).toMatch(keyLine);
    },
  );

  test('every numbered example is tested here', () => {
    const files = readdirSync(new URL('examples/', root)).filter((file) => /^\d/.test(file));
    expect(new Set(files)).toEqual(new Set(Object.keys(keyLines)));
  });
});

import { own } from '../../internal/own.ts';
import { quoted } from '../../internal/quoted.ts';
import type { Router } from '../../protocol/router.ts';
import { systemRuntime } from '../../runtime.ts';
import { parseObject } from '../config-source/parse-document.ts';
import { readSourceText } from '../config-source/read-file.ts';
import type { ApiKey, Authenticate } from '../server/access.ts';
import type { ServedRequest } from '../server/node-listener.ts';
import type { RunningServer } from '../server/start-server.ts';
import type { CommandResult } from './command-result.ts';
import { loadRouter } from './open-source.ts';
import { fileOf, parseOptions, UsageProblem } from './usage-problem.ts';

const serveHelp = `signalbox serve <file>: answer clients of OpenAI's and Anthropic's APIs

  <file>               YAML or JSON file with providers, or a module that
                       exports a configuration or a router
  --config <file>      the same as <file>
  --port <n>           default: 8080; 0 takes a free one
  --host <address>     default: 127.0.0.1; another one than this machine's own
                       needs --keys
  --keys <file>        YAML or JSON file with the hashes of the clients' keys
  --allow-tag <name>   a tag that clients may set; repeatable
  --shutdown-ms <n>    time for running answers after SIGINT or SIGTERM
                       (default: 10000)

Models are the tiers. Without --keys, it answers programs of this machine only.
Requests are logged to stderr, without prompts and keys. Exit code 0: stopped by
a signal, 2: could not run.`;

const options = {
  config: { type: 'string' },
  port: { type: 'string', default: '8080' },
  host: { type: 'string', default: '127.0.0.1' },
  keys: { type: 'string' },
  'allow-tag': { type: 'string', multiple: true },
  'shutdown-ms': { type: 'string', default: '10000' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** @throws UsageProblem */
function wholeNumber(option: string, text: string, max: number): number {
  if (/^\d{1,9}$/.test(text) && Number(text) <= max) return Number(text);
  throw new UsageProblem(`--${option}: must be a whole number from 0 to ${max}`);
}

/** Addresses that other machines cannot reach. */
const loopback: readonly string[] = ['127.0.0.1', 'localhost', '::1'];

const keyFields = {
  sha256: true,
  subject: true,
  tags: true,
  tiers: true,
  expose: true,
} as const satisfies Record<keyof ApiKey, true>;

/** The entries of a file `keys: [{ sha256, subject }]`. Their values are checked by `apiKeys`. @throws UsageProblem */
async function readKeys(path: string): Promise<readonly ApiKey[]> {
  const { value } = await parseObject(await readSourceText(path));
  const { keys }: { readonly keys?: unknown } = value;
  if (!Array.isArray(keys) || Object.keys(value).length > 1) {
    throw new UsageProblem(`${path}: must have a list "keys", and nothing else`);
  }
  for (const [index, key] of keys.entries()) {
    if (typeof key !== 'object' || key === null) {
      throw new UsageProblem(`${path}: keys[${index}] must be an object with sha256 and subject`);
    }
    const unknown = Object.keys(key).find((name) => own(keyFields, name) === undefined);
    if (unknown === undefined) continue;
    const known = Object.keys(keyFields).join(', ');
    throw new UsageProblem(
      `${path}: keys[${index}] has an unknown field ${quoted(unknown)}; known are ${known}`,
    );
  }
  return keys;
}

/** @throws UsageProblem */
async function checkTiers(keys: readonly ApiKey[], router: Router): Promise<void> {
  const { tiers } = await router.describe();
  const known = tiers.map(({ name }) => name);
  for (const [index, key] of keys.entries()) {
    const missing = key.tiers?.find((tier) => !known.includes(tier));
    if (missing === undefined) continue;
    throw new UsageProblem(
      `--keys: keys[${index}].tiers: there is no tier ${quoted(missing)}; known are ${known.join(', ')}`,
    );
  }
}

const listenProblems: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use; choose another --port, or 0 for a free one',
  EACCES: 'this user may not listen on the port; choose one above 1023',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'there is no such host',
};

/** @throws UsageProblem when the server cannot listen */
function listenProblem(error: unknown, host: string, port: number): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const advice = own(listenProblems, code);
  if (advice === undefined) return error;
  return new UsageProblem(`cannot listen on ${host}:${port}: ${advice}`, { cause: error });
}

/** Statuses of requests whose model may be any text. */
const unchecked: readonly number[] = [400, 404];

/** What a client sent, in one line of moderate size. */
function printable(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '?').slice(0, 100);
}

/** `2026-11-30T12:00:00.000Z POST /v1/chat/completions 200 812 ms chat openai/gpt-5.4-mini` */
function lineOf({ method, path, status, ms, tier, target, failure }: ServedRequest): string {
  const parts = [
    new Date(systemRuntime.now()).toISOString(),
    printable(method),
    printable(path) || '-',
    status === 0 ? 'left' : String(status),
    `${Math.round(ms)} ms`,
    ...(tier === undefined || unchecked.includes(status) ? [] : [printable(tier), target ?? '-']),
    ...(failure === undefined ? [] : [`failed: ${failure}`]),
  ];
  return parts.join(' ');
}

function greeting({ url }: RunningServer, hasKeys: boolean, tiers: readonly string[]): string {
  const apiKey = hasKeys ? '…' : 'unused';
  return [
    `signalbox serves ${url}/v1, tiers: ${tiers.join(', ')}`,
    `  OpenAI's SDK:     new OpenAI({ baseURL: '${url}/v1', apiKey: '${apiKey}' })`,
    `  Anthropic's SDK:  new Anthropic({ baseURL: '${url}', apiKey: '${apiKey}' })`,
    '',
  ].join('\n');
}

/** Resolves at the first signal. The second one ends the process, as without a listener. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const signals = ['SIGINT', 'SIGTERM'] as const;
    const stop = (): void => {
      for (const signal of signals) process.off(signal, stop);
      resolve();
    };
    for (const signal of signals) process.on(signal, stop);
  });
}

/**
 * `signalbox serve`: serves a router over HTTP until a signal comes. It prints while it runs.
 * @throws UsageProblem, or SignalboxError `config`, if it cannot run.
 */
export async function serveCommand(args: readonly string[]): Promise<CommandResult> {
  const { values, positionals } = parseOptions(args, options);
  if (values.help === true) return { exitCode: 0, output: serveHelp, problem: '' };
  const file = fileOf(values.config, positionals, serveHelp);
  const { host } = values;
  const port = wholeNumber('port', values.port, 65_535);
  const shutdownMs = wholeNumber('shutdown-ms', values['shutdown-ms'], 86_400_000);
  if (values.keys === undefined && !loopback.includes(host)) {
    throw new UsageProblem(`--host ${host}: other machines can reach it, so --keys is required`);
  }
  // Other commands need no server.
  const { apiKeys, localAccess } = await import('../server/access.ts');
  const { createHandler } = await import('../server/create-handler.ts');
  const { startServer } = await import('../server/start-server.ts');
  const keys = values.keys === undefined ? undefined : await readKeys(values.keys);
  const authenticate: Authenticate =
    keys === undefined ? localAccess({ subject: 'local', expose: true }) : apiKeys(keys);
  const router = await loadRouter(file);
  try {
    if (keys !== undefined) await checkTiers(keys, router);
    const handler = createHandler(router, { authenticate, allowTags: values['allow-tag'] });
    const stopped = stopSignal();
    const server = await startServer(handler, {
      ...{ host, port },
      onRequest: (request) => void process.stderr.write(`${lineOf(request)}\n`),
    }).catch((error: unknown) => {
      throw listenProblem(error, host, port);
    });
    const { tiers } = await router.describe();
    const names = tiers.map(({ name }) => name);
    process.stdout.write(greeting(server, keys !== undefined, names));
    await stopped;
    process.stderr.write('stopping\n');
    await server.stop(shutdownMs);
    return { exitCode: 0, output: '', problem: '' };
  } finally {
    await router.close();
  }
}

/**
 * CPU time of the server for each request: `signalbox serve` beside Portkey's gateway, which is installed into a temporary
 * directory if it is not there, and two servers that show what a gateway takes at least (`relays.ts`). All are processes in
 * front of the same simulated vendor, and get the same requests, 16 at a time. The ratio is the median of the rounds, so that a slow phase of the machine affects all of them. Linux only,
 * because the times come from `/proc`. Takes three minutes. `npm run bench:gateways -- rounds=7 profile=/tmp/profile`
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { argumentsOf, median, medianRatio, runMany } from './measure.ts';
import { startVendors } from './vendors.ts';

const portkeyName = '@portkey-ai/gateway';
const portkeyVersion = '1.15.2';
const { rounds = '7', requests = '1500', streams = '300', deltas = '50', profile } = argumentsOf();
const concurrency = 16;
/** `/proc` counts hundredths of a second. */
const microsecondsPerTick = 10_000;

type Gateway = {
  readonly name: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly pid: number;
  readonly stop: () => void;
};

/** With newer ones of the range that it accepts, its streams fail: "TypeError: immutable". */
const overrides = { '@hono/node-server': '1.3.3' };

function installPortkey(): string {
  const directory = join(tmpdir(), 'signalbox-bench-portkey');
  const script = join(directory, 'node_modules', portkeyName, 'build', 'start-server.js');
  if (!existsSync(script)) {
    mkdirSync(directory, { recursive: true });
    const dependencies = { [portkeyName]: portkeyVersion };
    const manifest = JSON.stringify({ private: true, dependencies, overrides });
    writeFileSync(join(directory, 'package.json'), manifest);
    const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund'];
    execFileSync('npm', args, { cwd: directory, stdio: 'inherit' });
  }
  return script;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function startGateway(
  script: string,
  args: readonly string[],
  nodeOptions: readonly string[] = [],
): { pid: number; stop: () => void } {
  const env = { ...process.env, NODE_ENV: 'production' };
  const child = spawn(process.execPath, [...nodeOptions, script, ...args], {
    env,
    stdio: 'ignore',
  });
  process.on('exit', () => child.kill());
  if (child.pid === undefined) throw new Error(`cannot start ${script}`);
  return { pid: child.pid, stop: () => child.kill() };
}

async function startPortkey(vendorUrl: string): Promise<Gateway> {
  const port = await freePort();
  const started = startGateway(installPortkey(), [`--port=${port}`, '--headless']);
  const headers = { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': vendorUrl };
  return {
    name: 'portkey',
    url: `http://127.0.0.1:${port}`,
    headers,
    ...started,
  };
}

async function startSignalbox(vendorUrl: string, directory: string): Promise<Gateway> {
  const port = await freePort();
  const config = join(directory, 'router.json');
  const vendor = { type: 'openaiChat', apiKey: 'test-key', baseURL: vendorUrl };
  const target = 'vendor/gpt-5.4-mini';
  // As Portkey does, `unary` asks for one JSON answer. The default asks for a stream, to see stalls.
  const tiers = { unary: { targets: [target], transfer: 'unary' }, fast: [target] };
  const document = { providers: { vendor }, tiers };
  writeFileSync(config, JSON.stringify(document));
  const script = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
  const profiling = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile];
  const started = startGateway(script, ['serve', config, '--port', String(port)], profiling);
  return {
    name: 'signalbox',
    url: `http://127.0.0.1:${port}`,
    headers: {},
    ...started,
  };
}

async function startRelay(kind: 'router' | 'bytes', vendorUrl: string): Promise<Gateway> {
  const port = await freePort();
  const script = fileURLToPath(new URL('./relays.ts', import.meta.url));
  const started = startGateway(script, [`kind=${kind}`, `port=${port}`, `vendor=${vendorUrl}`]);
  const name = kind === 'router' ? 'router in a bare server' : 'bytes passed on';
  return { name, url: `http://127.0.0.1:${port}`, headers: {}, ...started };
}

/** User and system time of a process so far, of all its threads. */
function cpuMicroseconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The name in brackets may contain spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * microsecondsPerTick;
}

const agent = new Agent({ keepAlive: true, maxSockets: concurrency });

type Kind = {
  readonly name: string;
  readonly count: number;
  readonly stream: boolean;
  /** The tier of signalbox. */
  readonly tier: 'unary' | 'fast';
};

type Failures = { count: number };

/** Sends one request. @throws if it is not answered in full */
async function ask({ name, url, headers }: Gateway, { stream, tier }: Kind): Promise<void> {
  const model = name === 'portkey' ? 'gpt-5.4-mini' : tier;
  const messages = [{ role: 'user', content: 'Describe the day of a fox in a few sentences.' }];
  const body = JSON.stringify({ model, messages, ...(stream && { stream }) });
  const sent = request(`${url}/v1/chat/completions`, {
    ...{ agent, method: 'POST' },
    headers: {
      ...{ authorization: 'Bearer test-key', 'content-type': 'application/json' },
      ...{ 'content-length': Buffer.byteLength(body), ...headers },
    },
  });
  sent.end(body);
  const [response] = await once(sent, 'response');
  let text = '';
  for await (const chunk of response) text += chunk;
  if (response.statusCode !== 200 || !text.includes('"finish_reason":"stop"')) {
    throw new Error(`${name}: ${response.statusCode}: ${text}`);
  }
}

async function waitFor(gateway: Gateway, kind: Kind): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await ask(gateway, kind);
      return;
    } catch (error) {
      if (tries === 100) throw error;
      await sleep(100);
    }
  }
}

async function cpuPerRequest(gateway: Gateway, kind: Kind, failures: Failures): Promise<number> {
  const before = cpuMicroseconds(gateway.pid);
  await runMany(kind.count, concurrency, () =>
    ask(gateway, kind).catch(() => {
      failures.count += 1;
    }),
  );
  return (cpuMicroseconds(gateway.pid) - before) / kind.count;
}

const kinds: readonly Kind[] = [
  { name: 'unary', count: Number(requests), stream: false, tier: 'unary' },
  { name: 'unary, vendor streams', count: Number(streams), stream: false, tier: 'fast' },
  { name: `stream of ${deltas}`, count: Number(streams), stream: true, tier: 'fast' },
];

const vendors = await startVendors();
const directory = mkdtempSync(join(tmpdir(), 'signalbox-bench-'));
const vendorUrl = `${vendors.url}/${deltas}d1/v1`;
const portkey = await startPortkey(vendorUrl);
const gateways = [
  portkey,
  await startSignalbox(vendorUrl, directory),
  await startRelay('router', vendorUrl),
  await startRelay('bytes', vendorUrl),
];
try {
  for (const kind of kinds) {
    const measured = gateways.map((gateway) => ({
      ...{ gateway, failures: { count: 0 } },
      times: [] as number[],
    }));
    for (const { gateway } of measured) {
      await waitFor(gateway, kind);
      // Warm.
      await cpuPerRequest(gateway, kind, { count: 0 });
    }
    for (let round = 0; round < Number(rounds); round += 1) {
      for (const { gateway, times, failures } of measured) {
        times.push(await cpuPerRequest(gateway, kind, failures));
      }
    }
    const base = measured[0]?.times ?? [];
    console.log(kind.name);
    for (const { gateway, times, failures } of measured) {
      console.log(
        `  ${gateway.name.padEnd(24)} ${Math.round(median(times)).toString().padStart(5)} us, ` +
          `ratio ${medianRatio(times, base).toFixed(2)}, failed: ${failures.count}`,
      );
    }
  }
} finally {
  for (const { stop } of gateways) stop();
  vendors.stop();
  agent.destroy();
  rmSync(directory, { recursive: true });
}

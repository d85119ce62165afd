import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { createRouter } from '../../../src/router.ts';
import { fakeProvider } from '../../../src/testing/fake-provider.ts';
import { startTelemetry } from '../../support/telemetry.ts';

const folder = join(import.meta.dirname, '..', '..', '..', 'docs', 'observability');
const rulesPath = join(folder, 'prometheus-rules.yaml');
const isInstalled = spawnSync('prometheus', ['--version']).status === 0;
if (!isInstalled) {
  const how = 'apt-get install -y --no-install-recommends prometheus';
  if (process.env.REQUIRE_PROMETHEUS) throw new Error(`prometheus is not installed: ${how}`);
  console.warn(
    `\n!!! SKIPPED: no prometheus here, so no query of docs/observability is run. ${how}\n`,
  );
}

type Query = { readonly name: string; readonly expr: string };

/** All queries. An alert's threshold is left out, so that it has a value while nothing is wrong. */
function queries(): readonly Query[] {
  const board = JSON.parse(readFileSync(join(folder, 'grafana-dashboard.json'), 'utf8'));
  const rules = parse(readFileSync(rulesPath, 'utf8'));
  const ofBoard = board.panels.flatMap(
    (panel: { title: string; targets: readonly { expr: string }[] }) =>
      panel.targets.map(({ expr }) => ({ name: panel.title, expr })),
  );
  const ofRules = rules.groups.flatMap((group: { rules: { alert: string; expr: string }[] }) =>
    group.rules.map(({ alert, expr }) => ({ name: alert, expr })),
  );
  return [...ofBoard, ...ofRules].map(({ name, expr }) => ({
    name,
    expr: expr
      .replaceAll(/\$__rate_interval|\[(5m|15m|1h)\]/g, (all: string) =>
        all[0] === '[' ? '[1m]' : '1m',
      )
      .replace(/\s(>|==) [\d.]+\s*$/, ''),
  }));
}

/** Makes calls of every kind, so that each metric changes. */
function makeTraffic(meterProvider: MeterProvider) {
  const usage = { inputTokens: 60, outputTokens: 5, cachedInputTokens: 20 };
  const router = createRouter({
    providers: {
      good: fakeProvider({ text: 'fine', usage }),
      slow: fakeProvider({ text: 'late', usage, firstTokenDelayMs: 60 }),
      bad: fakeProvider({ error: 'server_error' }),
      flaky: fakeProvider((_, number) =>
        number % 2 === 1 ? { error: 'server_error' } : { text: 'fine', usage },
      ),
    },
    prices: { 'good/m': { input: 1, output: 1 } },
    tiers: {
      retried: { targets: ['flaky/m'], retry: { attempts: 1, minMs: 1 } },
      fails: { targets: ['bad/m'], retry: { attempts: 1, minMs: 1 } },
      fast: { targets: ['bad/m', 'good/m'], retry: { attempts: 0 }, circuit: { openMs: 20 } },
      hedged: { targets: ['slow/m', 'good/m'], hedge: { afterMs: 10, maxExtra: 1 } },
      queued: [{ target: 'slow/n', limits: { concurrency: 1 } }],
    },
    budgets: {
      small: { match: { feature: 'small' }, requests: 3, per: 'day', warnAt: [0.5] },
    },
    plugins: [startTelemetry({ meterProvider }).plugin],
  });
  const once = () => {
    const calls = [
      ...['fast', 'fails', 'retried', 'hedged', 'queued', 'queued'].map(
        (tier) => router.stream(tier as 'fast', 'hi').completion,
      ),
      router.complete('fast', 'hi', { tags: { feature: 'small' } }),
    ];
    return Promise.allSettled(calls);
  };
  return { router, once };
}

it.skipIf(!isInstalled)('has alerts that Prometheus accepts', async () => {
  const { stdout } = await promisify(execFile)('promtool', ['check', 'rules', rulesPath]);
  expect(stdout).toContain('SUCCESS: 7 rules found');
});

it.skipIf(!isInstalled)(
  'has values for each query, in a Prometheus that scraped a router',
  async () => {
    const reader = new PrometheusExporter({ preventServerStart: true });
    const traffic = makeTraffic(new MeterProvider({ readers: [reader] }));
    const server = createServer(async (_, response) => {
      await traffic.once();
      const { resourceMetrics } = await reader.collect();
      response.setHeader('content-type', 'text/plain; version=0.0.4');
      response.end(new PrometheusSerializer().serialize(resourceMetrics));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const spare = createServer().listen(0, '127.0.0.1');
    await once(spare, 'listening');
    const portOf = (each: typeof server) => (each.address() as AddressInfo).port;
    const port = portOf(spare);
    spare.close();
    const directory = mkdtempSync(join(tmpdir(), 'signalbox-prometheus-'));
    const config = join(directory, 'prometheus.yml');
    const targets = [`127.0.0.1:${portOf(server)}`];
    const scrape = { job_name: 'app', static_configs: [{ targets }] };
    writeFileSync(
      config,
      JSON.stringify({
        global: { scrape_interval: '1s' },
        rule_files: [rulesPath],
        scrape_configs: [scrape],
      }),
    );
    const child = spawn(
      'prometheus',
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    );
    const exited = once(child, 'exit');
    try {
      let empty: readonly Query[] = queries();
      expect(empty.length).toBeGreaterThan(20);
      for (let second = 0; second < 60 && empty.length > 0; second += 1) {
        await setTimeout(1_000);
        const missing: Query[] = [];
        for (const each of empty) if (!(await hasValue(port, each.expr))) missing.push(each);
        empty = missing;
      }
      expect(empty).toEqual([]);
    } finally {
      child.kill();
      await exited;
      server.closeAllConnections();
      server.close();
      await traffic.router.close();
      rmSync(directory, { recursive: true, force: true });
    }
  },
);

type Answer = {
  readonly status: string;
  readonly error?: string;
  readonly data?: { readonly result: readonly { readonly value: readonly [number, string] }[] };
};

/** Whether the query has a series with a number. */
async function hasValue(port: number, expr: string): Promise<boolean> {
  const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(expr)}`;
  const response = await fetch(url).catch(() => undefined);
  if (response === undefined) return false;
  const { status, error, data } = (await response.json()) as Answer;
  if (status === 'error' && response.status === 400) throw new Error(`${expr}: ${error}`);
  return (data?.result ?? []).some(({ value }) => Number.isFinite(Number(value[1])));
}

/**
 * 5,000 concurrent streams of 50 chunks: memory per stream, and event loop delay. Each contender runs in a separate
 * process. `node bench/streams.ts contender=signalbox`
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { racesAt } from './contenders.ts';
import { argumentsOf } from './measure.ts';
import { startVendors } from './vendors.ts';

const { contender = '', url = '', streams = '5000' } = argumentsOf();
const count = Number(streams);
const rampMs = 5_000;
const names = ['openai (SDK)', 'signalbox', 'ai + ai-fallback', '@langchain/openai'];

async function measure(): Promise<void> {
  // Each stream sends a chunk every 500 ms: all start within 5 s and take 25 s.
  const race = racesAt(url, '50d500').find(({ wire }) => wire === 'chat');
  const measured = race?.contenders.find(({ name }) => name === contender);
  if (measured === undefined) throw new Error(`no contender ${contender}`);
  await Promise.all(Array.from({ length: 50 }, measured.stream));
  const memory = (): number => {
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = memory();
  const startedAt = performance.now();
  const cpuBefore = process.cpuUsage();
  const running: Promise<number>[] = [];
  for (let part = 0; part < rampMs / 50; part++) {
    for (let each = 0; each < (count * 50) / rampMs; each++) running.push(measured.stream());
    await sleep(50);
  }
  await sleep(2_000);
  const during = memory();
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  await sleep(10_000);
  delay.disable();
  await Promise.all(running);
  const kb = (during - before) / count / 1_024;
  const { user, system } = process.cpuUsage(cpuBefore);
  console.log(
    `${contender.padEnd(17)} ${kb.toFixed(0).padStart(4)} kB per stream, event loop delay ` +
      `${(delay.percentile(99) / 1e6).toFixed(0)} ms at p99, ` +
      `${((performance.now() - startedAt) / 1_000).toFixed(1)} s, ` +
      `${((user + system) / 1e6).toFixed(1)} s of CPU`,
  );
  process.exit();
}

async function runAll(): Promise<void> {
  const vendors = await startVendors();
  for (const name of names) {
    const child = fork(
      fileURLToPath(import.meta.url),
      [`contender=${name}`, `url=${vendors.url}`, `streams=${streams}`],
      { execArgv: ['--expose-gc', '--no-warnings'] },
    );
    await once(child, 'exit');
  }
  vendors.stop();
}

if (contender === '') await runAll();
else await measure();

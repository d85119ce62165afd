/** Time and memory for importing each entry point in a new process, without Node's own startup. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { median } from './measure.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const entries = ['signalbox', 'signalbox/openai', 'signalbox/anthropic', 'signalbox/google'];
const rivals = ['openai', '@anthropic-ai/sdk', '@google/genai', 'ai', '@langchain/openai'];

async function measure(name: string): Promise<{ readonly ms: number; readonly mb: number }> {
  const program = `
    const memory = () => { gc(); return process.memoryUsage().rss; };
    const before = memory(), startedAt = performance.now();
    await import('${name}');
    const ms = performance.now() - startedAt;
    console.log(JSON.stringify({ ms, mb: (memory() - before) / 2 ** 20 }));`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--expose-gc', '--no-warnings', '--input-type=module', '--eval', program],
    { cwd: root },
  );
  return JSON.parse(stdout);
}

for (const name of [...entries, ...rivals]) {
  const samples = [];
  for (let round = 0; round < 7; round++) samples.push(await measure(name));
  const ms = median(samples.map((each) => each.ms));
  const mb = median(samples.map((each) => each.mb));
  console.log(`${name.padEnd(20)} ${ms.toFixed(0).padStart(5)} ms ${mb.toFixed(1).padStart(6)} MB`);
}

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type SimulatedProviders,
  simulateProviders,
} from '../../src/testing/simulate-providers.ts';
import { connectBy, eras } from '../support/mcp.ts';

const root = new URL('../../', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'signalbox-mcp-'));
const file = join(folder, 'router.mjs');
let vendors: SimulatedProviders;

beforeAll(async () => {
  vendors = await simulateProviders();
  writeFileSync(
    file,
    `import { createRouter } from '${root}dist/index.js';
import { openai } from '${root}dist/openai.js';
console.log('noise on standard output');
export const router = createRouter({
  providers: { openai: openai({ baseURL: '${vendors.openai.baseURL}', apiKey: 'test' }) },
  tiers: { fast: ['openai/gpt-5.4-mini'], smart: ['openai/gpt-5.4'] },
});
const close = router.close;
router.close = async () => {
  await close();
  console.log('the router is closed');
};
// A handle that would keep the process alive.
setInterval(() => {}, 1_000);
`,
  );
});
afterAll(async () => {
  await vendors.close();
  rmSync(folder, { recursive: true });
});

const args = (...more: readonly string[]) => [
  '--no-warnings',
  join(root, 'dist', 'cli.js'),
  'mcp',
  ...more,
];

/** Runs the built command until it ends by itself, or by the signal once it serves. */
function run(more: readonly string[], signal?: 'SIGTERM') {
  const child = spawn(process.execPath, args(...more), { stdio: 'pipe' });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
    if (signal !== undefined && stdout.includes('"result"')) child.kill(signal);
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ping = { jsonrpc: '2.0', id: 1, method: 'ping' };
  if (signal === undefined) child.stdin.end();
  else child.stdin.write(`${JSON.stringify(ping)}\n`);
  return new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

describe('signalbox mcp', { timeout: 120_000 }, () => {
  it.each(eras)('serves a client of the protocol of %s over stdio', async (version, mode) => {
    vendors.reset();
    vendors.openai.answer('hello');
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: args(file, '--tier', 'fast'),
      stderr: 'pipe',
    });
    let stderr = '';
    transport.stderr?.on('data', (chunk) => {
      stderr += chunk;
    });
    const client = await connectBy(transport, mode);
    const problems: Error[] = [];
    client.onerror = (error) => problems.push(error);
    expect(client.getNegotiatedProtocolVersion()).toBe(version);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['complete', 'explain', 'snapshot']);
    expect(JSON.stringify(tools)).not.toContain('smart');
    const input = { tier: 'fast', prompt: 'hi' };
    const { content } = await client.callTool({ name: 'complete', arguments: input });
    expect(content).toEqual([{ type: 'text', text: 'hello' }]);

    vendors.openai.fault({ type: 'silence' });
    const call = client.callTool({ name: 'complete', arguments: input }).catch(() => undefined);
    await expect.poll(() => vendors.openai.openRequests).toBe(1);
    await client.close();
    await call;
    await expect.poll(() => vendors.openai.log.at(-1)?.aborted).toBe(true);
    await expect.poll(() => stderr).toContain('the router is closed');
    expect(stderr).toContain('noise on standard output');
    expect(problems).toEqual([]);
  });

  it('ends when its input ends, and closes the router', async () => {
    const { code, stdout, stderr } = await run([file]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
    expect(stderr).toBe('noise on standard output\nthe router is closed\n');
  });

  it('ends at a signal', async () => {
    const { code, stdout, stderr } = await run([file], 'SIGTERM');
    expect(code).toBe(0);
    expect(stdout).toBe('{"result":{},"jsonrpc":"2.0","id":1}\n');
    expect(stderr).toContain('the router is closed');
  });

  it('names a tier that does not exist', async () => {
    const { code, stdout, stderr } = await run([file, '--tier', 'fats']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('--tier: there is no tier "fats"; did you mean "fast"?');
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AuditChain } from '../../src/plugins/policies/audit/audit-chain.ts';
import { verifyAudit } from '../../src/plugins/policies/audit/verify-audit.ts';

export const key = 'a key of at least sixteen bytes';

/** Small, so that kills fall into rotations too. */
export const maxFileBytes = 5_000;

const child = fileURLToPath(new URL('audit-kill-child.ts', import.meta.url));

/** Starts a process that makes calls, and kills it. Returns the calls that it had answers of. */
async function callUntilKilled(
  file: string,
  lines: number,
  dice: () => number,
): Promise<readonly string[]> {
  const args = ['--no-warnings', child, file];
  const caller = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  const wanted = Math.floor(dice() * lines);
  caller.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (output.split('\n').length > wanted) setTimeout(() => caller.kill('SIGKILL'), dice() * 3);
  });
  const [code, signal] = await once(caller, 'close');
  if (signal !== 'SIGKILL') throw new Error(`the child ended by itself with ${code}`);
  return output.split('\n').slice(0, -1);
}

/** Kills processes that write the same log, one after the other. Returns what was wrong, and the number of lines. */
export async function killAuditors(
  file: string,
  kills: number,
  lines: number,
  dice: () => number,
): Promise<{ readonly violations: readonly string[]; readonly lines: number }> {
  const violations: string[] = [];
  const acknowledged: string[] = [];
  let written = 0;
  for (let kill = 1; kill <= kills; kill++) {
    acknowledged.push(...(await callUntilKilled(file, lines, dice)));
    const files = readdirSync(dirname(file))
      .filter((name) => name.startsWith(basename(file)) && !name.endsWith('.lock'))
      .map((name) => join(dirname(file), name));
    const report = verifyAudit(files, new AuditChain(key));
    violations.push(...report.problems.map(({ message }) => `kill ${kill}: ${message}`));
    const text = files.map((path) => readFileSync(path, 'utf8')).join('');
    const recorded = new Set([...text.matchAll(/"call":"([^"]+)".*\n/g)].map(([, id]) => id));
    const lost = acknowledged.filter((id) => !recorded.has(id));
    if (lost.length > 0) violations.push(`kill ${kill}: ${lost.length} calls were lost`);
    written = report.lines;
  }
  return { violations, lines: written };
}

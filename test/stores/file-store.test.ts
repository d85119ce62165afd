import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { isSignalboxError } from '../../src/index.ts';
import { type Counter, fileStore, type Store } from '../../src/store.ts';
import { openFileStore } from '../../src/stores/file-store.ts';
import { createRandom } from '../simulation/virtual-time.ts';
import { sampled } from '../support/sampled.ts';
import { killMany } from './kill-worlds.ts';
import { killRouters } from './router-kills.ts';

const directory = mkdtempSync(join(tmpdir(), 'stores-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let path = '';
let files = 0;
beforeEach(() => {
  files += 1;
  path = join(directory, `state-${files}`);
});

const total: Counter = { key: 'total', window: { until: 1e12 } };

function problemOf(open: () => unknown): string {
  try {
    open();
  } catch (error) {
    if (isSignalboxError(error, 'config')) return error.message;
    throw error;
  }
  return 'none';
}

/** Settles 1 for each number, with a counter of its own. */
async function spend(store: Store, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) {
    const own: Counter = { key: `n-${n}`, window: { until: 1e12 } };
    const used = [total, own].map((counter) => ({ counter, amount: 1 }));
    await store.settle(`call-${n}`, used, n);
  }
}

async function spent(store: Store): Promise<number> {
  const [state] = await store.read([total], 0);
  return state?.settled ?? Number.NaN;
}

/** A file of 30 changes without the writing of a new file, or after it. */
async function filled(growthBytes: number): Promise<Buffer> {
  const store = openFileStore(path, growthBytes);
  await spend(store, 1, 30);
  await store.setFact('ü', 'é', { now: 1, expiresAt: 1e12 });
  await store.close();
  return readFileSync(path);
}

const child = (code: string): readonly string[] => [
  '--no-warnings',
  '--expose-gc',
  '--input-type=module',
  '--eval',
  `import { openFileStore } from ${JSON.stringify(join(import.meta.dirname, '../../src/stores/file-store.ts'))};
   const total = { key: 'total', window: { until: 1e12 } };
   ${code}`,
];

describe('the lock of a file store', () => {
  it('refuses a second store of this process, by any path, until the first is closed', async () => {
    const store = fileStore(path);
    const link = `${path}-link`;
    symlinkSync(path, link);
    for (const name of [path, link]) {
      expect(problemOf(() => fileStore(name))).toBe(
        `fileStore: ${path} is open in this process already (lock ${path}.lock); use that one for all routers, or close it first`,
      );
    }
    await store.close();
    await fileStore(link).close();
  });

  it('refuses the store of another process, and names that', async () => {
    const code = `openFileStore(${JSON.stringify(path)}, 1); gc(); console.log('open'); setInterval(() => {}, 1e6);`;
    const other = spawn(process.execPath, child(code), { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(other.stdout, 'data');
    const problem = problemOf(() => fileStore(path));
    other.kill('SIGKILL');
    await once(other, 'close');
    expect(problem).toBe(
      `fileStore: ${path} is in use by process ${other.pid} (lock ${path}.lock); end that process, or use another path: it belongs to one process`,
    );
    await fileStore(path).close();
  });

  it('is free after a process that ended without close()', async () => {
    const code = `const store = openFileStore(${JSON.stringify(path)}, 1);
      store.settle('a', [{ counter: total, amount: 3 }], 1); process.exit(0);`;
    await promisify(execFile)(process.execPath, child(code));
    expect(existsSync(`${path}.lock`)).toBe(true);
    const store = fileStore(path);
    expect(await spent(store)).toBe(3);
    await store.close();
  });

  it('reports a damaged lock', () => {
    writeFileSync(`${path}.lock`, 'x'.repeat(5_000));
    expect(problemOf(() => fileStore(path))).toMatch(/\.lock is damaged; delete it/);
  });
});

describe('a file store', () => {
  it('survives kill -9: what was acknowledged is there, once', { timeout: 300_000 }, async () => {
    const { violations, spent: changes } = await killMany(path, sampled(30, 5), createRandom(1));
    expect(violations).toEqual([]);
    expect(changes).toBeGreaterThan(100);
  });

  it('has what a killed router has billed, once', { timeout: 300_000 }, async () => {
    const { violations, requests } = await killRouters(path, 2, createRandom(1));
    expect(violations).toEqual([]);
    expect(requests).toBeGreaterThan(50);
  });

  it('is written again when it has grown, and stays small', async () => {
    const store = openFileStore(path, 2_000);
    for (let n = 1; n <= 500; n++) await store.settle('a', [{ counter: total, amount: 1 }], n);
    expect(statSync(path).size).toBeLessThan(5_000);
    expect(existsSync(`${path}.next`)).toBe(false);
    await store.close();
    const again = openFileStore(path, 2_000);
    expect(await spent(again)).toBe(500);
    await again.close();
  });

  it('goes on with the old file when the new one cannot be written', async () => {
    const store = openFileStore(path, 2_000);
    mkdirSync(`${path}.next`);
    for (let n = 1; n <= 200; n++) await store.settle('a', [{ counter: total, amount: 1 }], n);
    await store.close();
    const again = openFileStore(path, 1e6);
    expect(await spent(again)).toBe(200);
    await again.close();
  });

  it('writes nothing for a released reservation', async () => {
    const store = fileStore(path);
    const { size } = statSync(path);
    const claims = [{ counter: total, amount: 1, limit: 5 }];
    await store.reserve('a', claims, { now: 1, expiresAt: 2 });
    await store.settle('a', [], 1);
    expect(statSync(path).size).toBe(size);
    await store.close();
  });

  it('is readable by its owner only', async () => {
    await fileStore(path).close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('fails where it cannot write, keeps what it has, and goes on when it can again', async () => {
    // A limit of the size of files stands for a full disk. Units of `ulimit -f` are 1,024 bytes.
    const code = `const store = openFileStore(${JSON.stringify(path)}, 1e9);
      const own = (n) => ({ key: 'n-' + n, window: { until: 1e12 } });
      let settled = 0;
      try {
        for (let n = 1; n < 1e4; n++, settled++)
          store.settle('a', [total, own(n)].map((counter) => ({ counter, amount: 1 })), n);
      } catch (error) { console.log(error.code, error.message); }
      console.log(settled, store.read([total], 1)[0].settled);`;
    const script = 'trap "" XFSZ; ulimit -f 8; exec "$0" "$@"';
    const args = ['-c', script, process.execPath, ...child(code)];
    const { stdout } = await promisify(execFile)('bash', args);
    const [problem = '', counts = ''] = stdout.split('\n');
    expect(problem).toMatch(/^config fileStore: cannot write .*state-\d+: .* \(EFBIG\)$/);
    const [settled, inMemory] = counts.split(' ').map(Number);
    expect(settled).toBeGreaterThan(20);
    expect(inMemory).toBe(settled);
    const store = fileStore(path);
    expect(await spent(store)).toBe(settled);
    await spend(store, 10_001, 10_002);
    await store.close();
    const again = fileStore(path);
    expect(await spent(again)).toBe(Number(settled) + 2);
    await again.close();
  });

  it.each([
    [
      '/no-such-directory/state',
      /^fileStore: cannot open \/no-such-directory\/state: its directory does not exist; create it/,
    ],
    [tmpdir(), /: it is a directory; use the path of a file \(EISDIR\)$/],
    [
      '/proc/state',
      /^fileStore: cannot make the lock \/proc\/state\.lock; check that its directory/,
    ],
    ['', /^fileStore: path must be the path of a file$/],
  ])('reports that %j cannot be used', (bad, problem) => {
    expect(problemOf(() => fileStore(bad))).toMatch(problem);
  });
});

describe('a damaged file', () => {
  /** Writes the bytes to a new path. Returns what is spent there, or the problem. */
  async function tryBytes(bytes: Buffer): Promise<number | string> {
    files += 1;
    const copy = join(directory, `state-${files}`);
    writeFileSync(copy, bytes);
    const problem = problemOf(() => fileStore(copy).close());
    if (problem !== 'none') {
      expect(readFileSync(copy).equals(bytes), 'a refused file must not change').toBe(true);
      return problem;
    }
    const store = fileStore(copy);
    const result = await spent(store);
    await store.close();
    for (const name of [copy, `${copy}.lock`]) rmSync(name, { force: true });
    return result;
  }

  it('opens without the last write when that was cut', async () => {
    const bytes = await filled(1e9);
    const lines = bytes.toString('latin1').split('\n');
    const offsets = lines.map((_, n) => lines.slice(0, n).join('\n').length + (n > 0 ? 1 : 0));
    for (const cut of [bytes.length - 1, bytes.length - 10, (offsets.at(-2) ?? 0) + 3]) {
      expect(await tryBytes(bytes.subarray(0, cut))).toBe(30);
    }
    const half = Buffer.concat([bytes, Buffer.alloc(4_096)]);
    expect(await tryBytes(half)).toBe(30);
  });

  it('reports where it is damaged and what to do, which works', async () => {
    const bytes = await filled(1e9);
    const middle = bytes.indexOf('"n-20"');
    const lineStart = bytes.lastIndexOf('\n', middle) + 1;
    bytes[middle] = 0;
    writeFileSync(path, bytes);
    expect(problemOf(() => fileStore(path))).toBe(
      `fileStore: ${path} is damaged at byte ${lineStart}; restore it from a backup, or keep what is before: truncate -s ${lineStart} '${path}'`,
    );
    truncateSync(path, lineStart);
    const store = fileStore(path);
    expect(await spent(store)).toBe(19);
    await store.close();
  });

  it('refuses an empty file, another file, a newer one, and one that was cut in its first part', async () => {
    const whole = await filled(1);
    expect(await tryBytes(Buffer.alloc(0))).toMatch(
      / is empty, .*move it away to start from zero$/,
    );
    expect(await tryBytes(Buffer.from('{"a":1}\n'))).toMatch(/ is not a state file/);
    expect(await tryBytes(Buffer.from('signalbox-store 2\n{}\n'))).toMatch(
      / has format 2, and this version reads up to 1; update signalbox, or use another path$/,
    );
    expect(await tryBytes(whole.subarray(0, 200))).toMatch(
      / was cut at byte \d+; .*start from zero$/,
    );
  });

  it('refuses lines in another order, twice, or missing', async () => {
    const bytes = await filled(1e9);
    const lines = bytes.toString('latin1').split(/(?<=\n)/);
    const changed = (list: readonly string[]) => tryBytes(Buffer.from(list.join(''), 'latin1'));
    expect(await changed(lines)).toBe(30);
    const [a = '', b = ''] = lines.slice(10, 12);
    expect(await changed(lines.with(10, b).with(11, a))).toMatch(/is damaged at byte/);
    expect(await changed(lines.toSpliced(10, 0, a))).toMatch(/is damaged at byte/);
    expect(await changed(lines.toSpliced(10, 1))).toMatch(/is damaged at byte/);
  });

  it.each([
    ['as it was written', 1e9],
    ['written again', 500],
  ])('is never read wrongly, and never reset: %s', async (_, growthBytes) => {
    const bytes = await filled(growthBytes);
    const random = createRandom(7);
    const position = () => Math.floor(random() * bytes.length);
    for (let run = 0; run < 60; run++) {
      const cut = bytes.subarray(0, position());
      const fromCut = await tryBytes(cut);
      // A cut file is what a crash would have left, or it is refused.
      const text = cut.toString('latin1');
      if (typeof fromCut === 'string') expect(text).not.toContain('["complete"]\n');
      else expect(text).toContain('["complete"]\n');

      const flipped = Buffer.from(bytes);
      const at = position();
      flipped[at] = (flipped[at] ?? 0) ^ (1 << Math.floor(random() * 8));
      expect(await tryBytes(flipped)).toMatch(/damaged|newer|format|not a state file/);

      const garbage = Buffer.from(Array.from({ length: 40 }, () => Math.floor(random() * 256)));
      const inside = Buffer.concat([bytes.subarray(0, at), garbage, bytes.subarray(at)]);
      expect(await tryBytes(inside)).toMatch(/damaged|format|not a state file/);
      const after = await tryBytes(Buffer.concat([bytes, garbage]));
      if (garbage.includes(10)) expect(after).toMatch(/damaged/);
      else expect(after).toBe(30);
    }
  });

  it('keeps a copy of a file in use readable', async () => {
    const store = fileStore(path);
    await spend(store, 1, 5);
    copyFileSync(path, `${path}-copy`);
    await store.close();
    const copy = fileStore(`${path}-copy`);
    expect(await spent(copy)).toBe(5);
    await copy.close();
  });
});

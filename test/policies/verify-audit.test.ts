import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { runCommand } from '../../src/apps/cli/run-command.ts';
import { AuditChain, emptyHead, headText } from '../../src/plugins/policies/audit/audit-chain.ts';
import { verifyAudit } from '../../src/plugins/policies/audit/verify-audit.ts';

const key = 'a key of at least sixteen bytes';
const chain = new AuditChain(key);
const directory = mkdtempSync(join(tmpdir(), 'verify-'));
const paths = [0, 1, 2].map((index) => join(directory, `audit.jsonl.${index}`));
const keyFile = join(directory, 'key');
writeFileSync(keyFile, `${key}\n`);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Three files of one log, each of these numbers of records. */
function makeFiles(counts: readonly number[]) {
  let head = emptyHead;
  const files = counts.map((count) => {
    const lines: Buffer[] = [];
    const add = (line: ReturnType<AuditChain['line']>): void => {
      lines.push(line.bytes);
      head = line.head;
    };
    add(chain.header(head, '2026-01-01T00:00:00.000Z'));
    for (let n = 0; n < count; n++) add(chain.line({ call: `é${n}`, usd: 0.1 }, head));
    return lines;
  });
  return { files, head };
}

function verify(files: readonly (readonly Buffer[])[], head = emptyHead, first?: number) {
  const written = files.map((lines, index) => {
    const path = paths[index] ?? '';
    writeFileSync(path, Buffer.concat(lines));
    return path;
  });
  const wanted = head.lines === 0 ? undefined : head;
  return verifyAudit(written.toReversed(), chain, { head: wanted, first });
}

const counts = fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 3 });
const runs = { numRuns: 50, seed: 22 };

describe('verifying an audit log', () => {
  it('finds nothing in a whole one', () => {
    fc.assert(
      fc.property(counts, (each) => {
        const { files, head } = makeFiles(each);
        const report = verify(files, head);
        expect(report).toMatchObject({ problems: [], head, lines: files.flat().length });
      }),
      runs,
    );
  });

  it('finds each flipped bit', () => {
    fc.assert(
      fc.property(counts, fc.nat(), fc.nat({ max: 7 }), (each, place, bit) => {
        const { files } = makeFiles(each);
        const line = files.flat()[place % files.flat().length];
        if (line === undefined) throw new Error('there is one');
        const at = place % line.length;
        line[at] = (line[at] ?? 0) ^ (1 << bit);
        expect(verify(files).problems).not.toEqual([]);
      }),
      { ...runs, numRuns: 100 },
    );
  });

  it('finds each flipped bit of one file', () => {
    const { files } = makeFiles([2]);
    const whole = Buffer.concat(files.flat());
    const missed: string[] = [];
    for (let at = 0; at < whole.length; at += 3) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 7));
      if (verify([[changed]]).problems.length === 0) missed.push(`byte ${at}`);
    }
    expect(missed).toEqual([]);
  });

  it('finds lines that were moved, repeated or removed', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.constantFrom('swap', 'repeat', 'remove'), (a, b, kind) => {
        const { files } = makeFiles([3, 2, 3]);
        const lines = files.flat();
        const [one, two] = [a % lines.length, b % lines.length];
        const [first, second] = [lines[one], lines[two]];
        if (first === undefined || second === undefined) throw new Error('there are lines');
        if (kind === 'swap') {
          if (one === two) return;
          lines[one] = second;
          lines[two] = first;
        } else if (kind === 'repeat') lines.splice(two, 0, first);
        // The last line can be removed unseen without a head.
        else lines.splice(Math.min(one, lines.length - 2), 1);
        const changed = [lines.slice(0, 4), lines.slice(4, 7), lines.slice(7)];
        expect(verify(changed).problems).not.toEqual([]);
      }),
      runs,
    );
  });

  it('finds each cut before the head, and each missing file', () => {
    const { files, head } = makeFiles([3, 2, 3]);
    const whole = files.flat();
    for (let kept = 0; kept < whole.length; kept++) {
      expect(verify([whole.slice(0, kept)], head).problems, `${kept} lines`).not.toEqual([]);
    }
    for (const missing of [0, 1, 2]) {
      const left = files.filter((_, index) => index !== missing);
      expect(verify(left, head).problems).not.toEqual([]);
    }
    const bytes = Buffer.concat(files[2] ?? []);
    for (let at = 0; at < bytes.length; at += 7) {
      const cut = [files[0] ?? [], files[1] ?? [], [bytes.subarray(0, at)]];
      expect(verify(cut, head).problems, `${at} bytes`).not.toEqual([]);
    }
  });

  it('finds a log that was cut and went on', () => {
    const { files, head } = makeFiles([6]);
    const kept = files.flat().slice(0, 3);
    const { mac = '' } = chain.read((kept[2] ?? Buffer.alloc(0)).subarray(0, -1)) ?? {};
    let end = { lines: 3, mac };
    for (let n = 0; n < 5; n++) {
      const line = chain.line({ call: `new ${n}` }, end);
      kept.push(line.bytes);
      end = line.head;
    }
    expect(verify([kept]).problems).toEqual([]);
    const message = expect.stringContaining('is not that of the head');
    expect(verify([kept], head).problems).toMatchObject([{ message }]);
  });

  it('knows the first line when older files were removed', () => {
    const { files, head } = makeFiles([3, 2, 3]);
    const left = files.slice(1);
    expect(verify(left, head).problems[0]?.message).toBe(
      'has number 5: lines 1 to 4 are missing (if older files were removed on purpose, use --first 5)',
    );
    expect(verify(left, head, 5).problems).toEqual([]);
  });
});

describe('signalbox audit verify', () => {
  const { files, head } = makeFiles([3, 2, 3]);
  const withKey = ['--key-file', keyFile];

  function write(): void {
    verify(files);
  }

  it('exits with 0 for a whole log, and prints its head', async () => {
    write();
    const args = ['audit', 'verify', ...paths, `${paths[0]}.lock`, ...withKey];
    expect(await runCommand([...args, '--head', headText(head)])).toEqual({
      exitCode: 0,
      output: `11 lines, intact\nhead ${headText(head)}`,
      problem: '',
    });
    const { output } = await runCommand([...args, '--json']);
    expect(JSON.parse(output)).toMatchObject({ ok: true, lines: 11, head: headText(head) });
  });

  it('exits with 1 for another one, and says where', async () => {
    write();
    const [, two] = files;
    const changed = Buffer.concat(two ?? [])
      .toString()
      .replace('0.1', '0.0');
    writeFileSync(paths[1] ?? '', changed);
    const result = await runCommand(['audit', 'verify', ...paths, ...withKey]);
    expect(result).toMatchObject({
      exitCode: 1,
      output: `${paths[1]}:2 was changed, or the line before it\n1 problems in 11 lines`,
    });
  });

  it('says that the key is missing, and exits with 1', async () => {
    write();
    const { exitCode, output } = await runCommand(['audit', 'verify', ...paths]);
    expect(exitCode).toBe(1);
    expect(output).toContain(':1 is damaged, or not a line of a log without a key: set --key-file');
  });

  it.each<[readonly string[], RegExp]>([
    [[], /the only action is verify/],
    [['verify'], /a file is required/],
    [['verify', 'x', '--head', 'y'], /--head must be the head/],
    [['verify', 'x', '--head', `1:${'a'.repeat(64)}`], /--head needs --key-file/],
    [['verify', 'x', '--first', '0'], /--first must be/],
    [['verify', '/no/such/file'], /cannot read \/no\/such\/file \(ENOENT\)/],
    [['verify', 'x', '--key-file', '/no/key'], /cannot read \/no\/key \(ENOENT\)/],
  ])('exits with 2 for %j', async (args, problem) => {
    const result = await runCommand(['audit', ...args]);
    expect(result).toMatchObject({ exitCode: 2, problem: expect.stringMatching(problem) });
  });
});

import { appendFile, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileSource } from '../../src/config.ts';
import type { EventName, EventOf } from '../../src/index.ts';
import type { Runtime } from '../../src/protocol/runtime.ts';
import { createRouter } from '../../src/router.ts';
import { systemRuntime } from '../../src/runtime.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';

/** So long that a test only passes with the operating system's notifications. */
const notifiedOnly = 3_600_000;

let directory = '';
let path = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'file-source-'));
  path = join(directory, 'routing.yaml');
});
afterEach(() => rm(directory, { recursive: true }));

const document = (model: string): string => `tiers:\n  t: [p/${model}]\n`;

function setUp(runtime: Runtime = systemRuntime) {
  const router = createRouter({
    providers: { p: fakeProvider() },
    tiers: { t: ['p/m0'] },
    runtime,
  });
  const target = () => Object.keys(router.snapshot().targets)[0];
  const next = <Name extends EventName>(name: Name) =>
    new Promise<EventOf<Name>>((resolve) => router.once(name, resolve));
  return { router, target, next };
}

/** Writes another file and renames it, as editors and deployment tools do. */
async function replace(text: string): Promise<void> {
  await writeFile(`${path}.tmp`, text);
  await rename(`${path}.tmp`, path);
}

describe('fileSource', () => {
  it.each([
    ['that is replaced', notifiedOnly, replace],
    ['that is written in place', 200, (text: string) => writeFile(path, text)],
    [
      'that is removed and written again',
      200,
      async (text: string) => {
        await rm(path);
        await writeFile(path, text);
      },
    ],
  ])('follows a file %s', async (_, everyMs, write) => {
    const { router, target, next } = setUp();
    await writeFile(path, document('m1'));
    await router.follow(fileSource(path, { everyMs }));
    expect(target()).toBe('p/m1');
    for (const model of ['m2', 'm3']) {
      const changed = next('config-change');
      await write(document(model));
      expect(await changed).toMatchObject({ source: 'file routing.yaml' });
      expect(target()).toBe(`p/${model}`);
    }
    await router.close();
  });

  it('follows a ConfigMap of Kubernetes, whose directory is a link that is replaced', async () => {
    const { router, target, next } = setUp();
    const publish = async (version: string, model: string): Promise<void> => {
      await mkdir(join(directory, version));
      await writeFile(join(directory, version, 'routing.yaml'), document(model));
      await symlink(version, join(directory, '..data_tmp'));
      await rename(join(directory, '..data_tmp'), join(directory, '..data'));
    };
    await publish('..2026_1', 'm1');
    await symlink(join('..data', 'routing.yaml'), path);
    await router.follow(fileSource(path, { everyMs: notifiedOnly }));
    expect(target()).toBe('p/m1');
    const changed = next('config-change');
    await publish('..2026_2', 'm2');
    await changed;
    expect(target()).toBe('p/m2');
    await router.close();
  });

  it('notices a change of the file behind a link without a notification', async () => {
    const { router, target, next } = setUp();
    await mkdir(join(directory, 'elsewhere'));
    const real = join(directory, 'elsewhere', 'real.yaml');
    await writeFile(real, document('m1'));
    await symlink(real, path);
    await router.follow(fileSource(path, { everyMs: 20 }));
    const changed = next('config-change');
    await writeFile(real, document('m2'));
    await changed;
    expect(target()).toBe('p/m2');
    await router.close();
  });

  it('reads a file only when it has stopped changing', async () => {
    const waits = Promise.withResolvers<void>();
    const isWhole = Promise.withResolvers<void>();
    const { router, target, next } = setUp({
      ...systemRuntime,
      async sleep(ms, signal) {
        await systemRuntime.sleep(ms, signal);
        if (ms > 100) return;
        waits.resolve();
        await isWhole.promise;
      },
    });
    await writeFile(path, document('m1'));
    await router.follow(fileSource(path, { everyMs: 200 }));
    const changed = next('config-change');
    const rejected = next('config-rejected').then(() => 'rejected');
    // Invalid until its last line.
    await writeFile(path, 'tiers:\n  t: [');
    await Promise.race([waits.promise, rejected]);
    await appendFile(path, 'p/m2]\n');
    isWhole.resolve();
    expect(await Promise.race([changed, rejected])).not.toBe('rejected');
    expect(target()).toBe('p/m2');
    await router.close();
  });

  it('keeps the configuration when the file becomes invalid or disappears, and recovers', async () => {
    const { router, target, next } = setUp();
    await writeFile(path, document('m1'));
    await router.follow(fileSource(path, { everyMs: 200 }));
    let rejected = next('config-rejected');
    await replace('tiers:\n  t: [q/m]\n');
    expect((await rejected).problems).toEqual([
      expect.objectContaining({ path: 'tiers.t.targets[0]', line: 2, column: 7 }),
    ]);
    rejected = next('config-rejected');
    await rm(path);
    expect((await rejected).error.message).toContain('cannot be read (ENOENT)');
    expect(target()).toBe('p/m1');
    const changed = next('config-change');
    await writeFile(path, document('m2'));
    await changed;
    expect(target()).toBe('p/m2');
    await router.close();
  });

  it('rejects when there is no file', async () => {
    const { router } = setUp();
    await expect(router.follow(fileSource(path))).rejects.toThrow(/ENOENT/);
    await router.close();
  });

  it('can be followed again after it was stopped', async () => {
    const { router, target } = setUp();
    await writeFile(path, document('m1'));
    const source = fileSource(path);
    const { stop } = await router.follow(source);
    await stop();
    router.reconfigure({ tiers: { t: ['p/m0'] } });
    await router.follow(source);
    expect(target()).toBe('p/m1');
    await router.close();
  });

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('rejects %d as an interval', (everyMs) => {
    expect(() => fileSource(path, { everyMs })).toThrow(/everyMs must be a positive number/);
  });
});

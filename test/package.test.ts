import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const dist = join(root, 'dist');
const files = readdirSync(dist).filter((name) => /\.(js|d\.ts)$/.test(name));

/** The packages that a built file names in its imports; a line of a comment is none. */
function packagesIn(name: string): readonly string[] {
  const text = readFileSync(join(dist, name), 'utf8');
  const imports =
    /^(?:import|export|\} from)\b.*['"]([^'".][^'"]*)['"];$|[^.\w]import\(['"]([^'".][^'"]*)['"]\)/gm;
  return [...text.matchAll(imports)]
    .map(([, fixed, lazy]) => fixed ?? lazy ?? '')
    .map((specifier) => specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/'));
}

describe('the package', () => {
  const known = [
    ...Object.keys(manifest.dependencies),
    ...Object.keys(manifest.peerDependencies),
    manifest.name,
  ];

  it('imports nothing that is not installed with it, or a peer', () => {
    expect(files.flatMap(packagesIn)).toEqual(expect.arrayContaining(['p-limit', 'openai']));
    const strangers = files.flatMap((name) =>
      packagesIn(name)
        .filter((each) => !isBuiltin(each) && !known.includes(each))
        .map((each) => `${name}: ${each}`),
    );
    expect(strangers).toEqual([]);
  });

  it('shares no settings with a zod of the application', () => {
    const texts = files.map((name) => readFileSync(join(dist, name), 'utf8')).join('');
    expect(texts).toContain('__signalbox_zod_globalConfig');
    expect(texts).not.toMatch(/\b__zod_/);
  });

  it('ships the licence of what is built into it', () => {
    expect(existsSync(join(dist, 'zod.LICENSE'))).toBe(true);
  });
});

import { exec } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { linksOf } from './docs/markdown.ts';

const root = join(import.meta.dirname, '..');

/** Of the unpacked package, in bytes: a change that adds more than a few per cent should be noticed. */
const maxUnpackedBytes = 1_700_000;

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

const { outputs }: { outputs: Record<string, { inputs: Record<string, unknown> }> } = JSON.parse(
  readFileSync(join(dist, 'metafile-esm.json'), 'utf8'),
);

/** The files that a built file is made of, as paths from the root. */
function inputsOf(name: string): readonly string[] {
  return Object.keys(outputs[`dist/${name}`]?.inputs ?? {});
}

/** The files of `src` that are in a built file, and in those that it imports. */
function sourcesBehind(entry: string): readonly string[] {
  const reached = new Set([entry]);
  for (const name of reached) {
    const text = readFileSync(join(dist, name), 'utf8');
    for (const [, local] of text.matchAll(/['"]\.\/([\w-]+\.js)['"]/g))
      if (local) reached.add(local);
  }
  return [...reached].flatMap(inputsOf).map((source) => source.replace(/^src\//, ''));
}

type Tarball = {
  readonly files: readonly { readonly path: string }[];
  readonly unpackedSize: number;
};

/** What `npm publish` would upload, packed from the files that are there. */
async function packed(): Promise<Tarball> {
  // By a shell, because npm is a script on Windows.
  const command = 'npm pack --dry-run --json --ignore-scripts';
  const { stdout } = await promisify(exec)(command, { cwd: root });
  const answer: unknown = JSON.parse(stdout);
  // npm 12 returns an object with a row for each package instead of a list.
  const [tarball] = Object.values(answer as Record<string, Tarball>);
  if (tarball === undefined) throw new Error(`npm pack answered ${stdout}`);
  return tarball;
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

  it("describes models of the AI SDK without the AI SDK's types", () => {
    expect(readFileSync(join(dist, 'ai-sdk.d.ts'), 'utf8')).toContain('tierModel');
    expect(packagesIn('ai-sdk.d.ts').filter((each) => !isBuiltin(each))).toEqual([]);
  });

  it('reaches no adapter, plugin or app from its main entry', () => {
    const rooms = new Set(sourcesBehind('index.js').map((source) => source.split('/')[0]));
    expect(rooms).toContain('engine');
    for (const room of ['adapters', 'plugins', 'apps', 'testing'])
      expect(rooms).not.toContain(room);
  });

  it('contains built files, their types, the schema of documents and the licence, and nothing else', async () => {
    const { files, unpackedSize } = await packed();
    const paths = files.map(({ path }) => path);
    const entries = Object.values<string | { default: string; types: string }>(manifest.exports)
      .flatMap((entry) => (typeof entry === 'string' ? [entry] : [entry.default, entry.types]))
      .concat(Object.values<string>(manifest.bin), 'README.md', 'LICENSE')
      .map((path) => path.replace('./', ''));
    expect(paths).toEqual(expect.arrayContaining(entries));
    const shared = /^dist\/(?:[\w-]+-[A-Z0-9]{8}\.js|[\w-]+-[\w-]{8}\.d\.ts|cli\.d\.ts)$/;
    const others = paths.filter((path) => !entries.includes(path) && !shared.test(path));
    expect(others).toEqual([]);
    expect(unpackedSize).toBeLessThan(maxUnpackedBytes);
  });

  it('holds no code of other packages, whose licences it would have to carry', () => {
    expect(Object.keys(outputs).length).toBeGreaterThan(20);
    const inputs = files.filter((name) => name.endsWith('.js')).flatMap(inputsOf);
    expect(inputs.length).toBeGreaterThan(200);
    expect(inputs.filter((path) => !path.startsWith('src/'))).toEqual([]);
  });

  it('keeps the names of functions, and lines that a stack trace can point into', () => {
    const text = readFileSync(join(dist, 'index.js'), 'utf8');
    expect(text).toMatch(/\bfunction errorSerializer\b/);
    const longest = files.flatMap((name) =>
      readFileSync(join(dist, name), 'utf8')
        .split('\n')
        .map((line) => line.length),
    );
    expect(Math.max(...longest)).toBeLessThan(1_000);
  });

  it('has only links in its README that also work where the package is shown', () => {
    const relative = linksOf('README.md').filter(({ isAbsolute }) => !isAbsolute);
    expect(relative).toEqual([]);
  });

  it('reaches the libraries of MCP from its entry only', () => {
    const entries = Object.keys(manifest.exports).flatMap((path) => {
      const { default: file } = manifest.exports[path];
      return file === undefined ? [] : [file.replace('./dist/', '')];
    });
    const users = entries.filter((entry) =>
      sourcesBehind(entry).some((source) => source.startsWith('apps/mcp/')),
    );
    expect(users).toEqual(['mcp.js']);
  });
});

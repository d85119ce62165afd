import { readdirSync, readFileSync } from 'node:fs';
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

/** The files of `src` that are in a built file, and in those that it imports. */
function sourcesBehind(entry: string): readonly string[] {
  const reached = new Set([entry]);
  for (const name of reached) {
    const text = readFileSync(join(dist, name), 'utf8');
    for (const [, local] of text.matchAll(/['"]\.\/([\w-]+\.js)['"]/g))
      if (local) reached.add(local);
  }
  return [...reached].flatMap((name) => {
    const { sources } = JSON.parse(readFileSync(join(dist, `${name}.map`), 'utf8'));
    return sources.map((source: string) => source.replace(/^.*\bsrc\//, ''));
  });
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

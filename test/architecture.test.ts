import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

/** Which rooms a room may import, besides itself. A new room is one word here and a row in the docs. */
const allowed: Record<string, readonly string[]> = {
  protocol: [],
  internal: [],
  errors: ['protocol', 'internal'],
  runtime: ['protocol', 'internal'],
  transport: ['protocol', 'internal', 'errors', 'runtime'],
  routing: ['protocol', 'internal', 'errors', 'runtime'],
  resilience: ['protocol', 'internal', 'errors', 'runtime'],
  pricing: ['protocol', 'internal', 'errors', 'runtime'],
  telemetry: ['protocol', 'internal', 'errors', 'runtime'],
  'adapters/common': ['protocol', 'internal', 'errors', 'runtime', 'transport'],
  adapters: ['protocol', 'internal', 'errors', 'runtime', 'transport', 'adapters/common'],
  // Brands are rows on a wire, and nothing of their own.
  'adapters/compatible': [
    'protocol',
    'internal',
    'errors',
    'runtime',
    'transport',
    'adapters/common',
    'adapters/openai-chat',
  ],
  'adapters/azure': [
    'protocol',
    'internal',
    'errors',
    'runtime',
    'transport',
    'adapters/common',
    'adapters/openai-chat',
    'adapters/openai-responses',
  ],
  config: [
    'protocol',
    'internal',
    'errors',
    'runtime',
    'transport',
    'routing',
    'resilience',
    'pricing',
    'telemetry',
  ],
  engine: [
    'protocol',
    'internal',
    'errors',
    'runtime',
    'transport',
    'routing',
    'resilience',
    'pricing',
    'telemetry',
    'config',
  ],
  router: ['protocol', 'runtime', 'telemetry', 'config', 'engine'],
  cli: ['protocol', 'internal', 'errors', 'router'],
  testing: ['protocol', 'internal', 'errors', 'runtime', 'transport', 'pricing', 'adapters/common'],
};

const vendorSdks = ['openai', '@anthropic-ai/sdk', '@google/genai'];
const maxLinesOfCode = 350;
const root = join(import.meta.dirname, '..', 'src');

/** The room of a path below `src`; entry points have none and may import what they name. */
function roomOf(path: string): string | undefined {
  const [first = '', second = ''] = path.split('/');
  if (first === 'adapters') return second === 'common' ? 'adapters/common' : `adapters/${second}`;
  if (path.includes('/')) return first;
  const name = first.replace(/\.ts$/, '');
  return Object.hasOwn(allowed, name) && name !== 'testing' ? name : undefined;
}

type File = { readonly path: string; readonly text: string };

const files: readonly File[] = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

function importsOf(file: File): readonly string[] {
  const pattern = /(?:from|import\()\s*'([^']+)'/g;
  return [...file.text.matchAll(pattern)].flatMap((match) => match[1] ?? []);
}

function linesOfCode(text: string): number {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.trim().startsWith('//')).length;
}

describe('architecture', () => {
  it.each(files.map((file) => [file.path, file] as const))(
    '%s imports only what its rank allows',
    (_, file) => {
      const room = roomOf(file.path);
      if (room === undefined) return;
      const mayImport = allowed[room] ?? allowed[room.split('/')[0] ?? ''] ?? [];
      const wrong = importsOf(file)
        .filter((name) => name.startsWith('.'))
        .map((name) => relative(root, normalize(join(root, dirname(file.path), name))))
        .map((path) => roomOf(path) ?? path)
        .filter((other) => other !== room && !mayImport.includes(other));
      expect(wrong).toEqual([]);
    },
  );

  it('names vendor SDKs in adapters only, and loads them only on use', () => {
    for (const file of files) {
      const names = importsOf(file).filter((name) =>
        vendorSdks.some((sdk) => name === sdk || name.startsWith(`${sdk}/`)),
      );
      if (!file.path.startsWith('adapters/')) expect(names, file.path).toEqual([]);
      const eager = file.text
        .split('\n')
        .filter(
          (line) =>
            /^import (?!type)/.test(line) && names.some((name) => line.includes(`'${name}'`)),
        );
      expect(eager, file.path).toEqual([]);
    }
  });

  it.each(files.map((file) => [file.path, file] as const))('%s holds one idea', (_, file) => {
    expect(linesOfCode(file.text)).toBeLessThanOrEqual(maxLinesOfCode);
  });

  it('touches time and chance in the runtime and the testing aids only', () => {
    const pattern = /\b(Date\.now|setTimeout|setInterval|Math\.random|performance\.now)\b/;
    const guilty = files
      .filter((file) => file.path !== 'runtime.ts' && !file.path.startsWith('testing/'))
      .filter((file) => pattern.test(file.text.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')))
      .map((file) => file.path);
    expect(guilty).toEqual([]);
  });

  it('has no any, no non-null assertion, no default export and no unfinished work', () => {
    const patterns = [/(:|<|\bas) any\b/, /\w!\.|\w!;|\w!\)/, /export default/, /TODO|FIXME/];
    for (const file of files) {
      const code = file.text.replace(/\/\*[\s\S]*?\*\/|\/\/.*|'[^'\n]*'|`[^`]*`/g, '');
      for (const pattern of patterns)
        expect(pattern.test(code), `${file.path} ${pattern}`).toBe(false);
    }
  });
});

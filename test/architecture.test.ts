import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const words = ['protocol', 'internal'];
const rank1 = [...words, 'errors', 'runtime'];
const rank2 = [
  'routing',
  'health',
  'limits',
  'budgets',
  'pricing',
  'telemetry',
  'transport',
  'validation',
];
const rooms2 = [...rank1, ...rank2];
const openai = [...rooms2, 'wires/common', 'wires/openai-shared'];
const adapters = [...rooms2, 'wires', 'adapters/common', 'adapters/openai-shared'];

/** From the bottom up: each may import those before it. */
const engine = [
  'core',
  'answer',
  'failures',
  'tasks',
  'chain',
  'limits',
  'attempt',
  'call',
  'inspect',
].map((name) => `engine/${name}`);

/** Which rooms a room may import, besides itself. A new room is one line here and a row in the docs. */
const allowed: Record<string, readonly string[]> = {
  protocol: [],
  internal: ['protocol'],
  errors: words,
  runtime: words,
  ...Object.fromEntries(rank2.map((room) => [room, rank1])),
  'wires/common': rooms2,
  'wires/openai-shared': [...rooms2, 'wires/common'],
  'wires/openai-chat': openai,
  'wires/openai-responses': openai,
  'wires/anthropic': [...rooms2, 'wires/common'],
  'wires/gemini': [...rooms2, 'wires/common'],
  config: rooms2,
  'adapters/common': [...rooms2, 'wires'],
  'adapters/openai-shared': [...rooms2, 'wires', 'adapters/common'],
  adapters,
  // Brands are rows on a wire.
  'adapters/compatible': [...adapters, 'adapters/openai-chat'],
  'adapters/azure': [...adapters, 'adapters/openai-chat', 'adapters/openai-responses'],
  ...Object.fromEntries(
    engine.map((room, index) => [room, [...rooms2, 'config', ...engine.slice(0, index)]]),
  ),
  router: [...rooms2, 'config', 'engine'],
  stores: rooms2,
  plugins: rooms2,
  apps: [...rank1, 'router'],
  // An error in a page's stream is the sentence of `errorResponse`.
  'apps/ai-sdk': [...rank1, 'telemetry'],
  // A document names the providers of a command by their functions.
  'apps/cli': [
    ...[...rank1, 'router', 'apps/config-source', 'apps/evals', 'apps/mcp', 'apps/reports'],
    'apps/server',
    'plugins/policies',
    ...['openai.ts', 'anthropic.ts', 'google.ts', 'compatible.ts'],
  ],
  // Reports what is wrong with a document before there is a router.
  'apps/config-source': [...rank1, 'config'],
  // Suites are documents, and answers may be JSON of a schema.
  'apps/evals': [...rank1, 'config', 'validation', 'apps/config-source'],
  // Validates the inputs of tools with plain JSON Schema, which the engine leaves to its callers.
  'apps/agents': [...rank1, 'validation'],
  // Speaks the wires of vendors to clients.
  'apps/server': [...rank1, 'router', 'telemetry', 'wires'],
  // Tools of MCP servers are tools for agents.
  'apps/mcp': [...rank1, 'router', 'apps/agents'],
  // Reads events, from a router or a file.
  'apps/reports': rank1,
  testing: [...rank1, 'pricing', 'wires', 'router'],
};

/** Entry points with the name of a room. */
const entries = ['testing', 'config'];

const vendorSdks = ['openai', '@anthropic-ai/sdk', '@google/genai'];
const maxLinesOfCode = 350;
const root = join(import.meta.dirname, '..', 'src');

/** The room of a path below `src`; entry points have none and may import what they name. */
function roomOf(path: string): string | undefined {
  const [first = '', second = ''] = path.split('/');
  if (['adapters', 'wires', 'engine', 'plugins', 'apps'].includes(first))
    return `${first}/${second}`;
  if (path.includes('/')) return first;
  const name = first.replace(/\.ts$/, '');
  return Object.hasOwn(allowed, name) && !entries.includes(name) ? name : undefined;
}

/** Whether `other` is one of those rooms, or inside one of them. */
function isIn(other: string, rooms: readonly string[]): boolean {
  const [house = ''] = other.split('/');
  return rooms.includes(other) || rooms.includes(house);
}

type File = {
  readonly path: string;
  readonly text: string;
  /** The files below `src` that it imports; imports of types count. */
  readonly imports: readonly string[];
};

function importsOf(text: string): readonly string[] {
  return [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].flatMap((match) => match[1] ?? []);
}

const files: readonly File[] = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => {
    const text = readFileSync(join(root, path), 'utf8');
    const imports = importsOf(text)
      .filter((name) => name.startsWith('.'))
      .map((name) => relative(root, normalize(join(root, dirname(path), name))));
    return { path, text, imports };
  });

function linesOfCode(text: string): number {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.trim().startsWith('//')).length;
}

/** The first circle of imports that a walk from each file runs into. */
function circleOf(graph: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>();
  function walk(path: string, way: readonly string[]): readonly string[] | undefined {
    if (way.includes(path)) return [...way.slice(way.indexOf(path)), path];
    if (done.has(path)) return undefined;
    for (const next of graph.get(path) ?? []) {
      const circle = walk(next, [...way, path]);
      if (circle !== undefined) return circle;
    }
    done.add(path);
    return undefined;
  }
  for (const path of graph.keys()) {
    const circle = walk(path, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

describe('architecture', () => {
  it.each(files.map((file) => [file.path, file] as const))(
    '%s imports only what its rank allows',
    (_, file) => {
      const room = roomOf(file.path);
      if (room === undefined) return;
      const mayImport = allowed[room] ?? allowed[room.split('/')[0] ?? ''];
      expect(mayImport, `${room} is a room that nobody has drawn`).toBeDefined();
      const wrong = file.imports.filter((path) => {
        const other = roomOf(path) ?? path;
        return other !== room && !isIn(other, mayImport ?? []);
      });
      expect(wrong).toEqual([]);
    },
  );

  it('has no circle of imports, inside rooms either', () => {
    const graph = new Map(files.map(({ path, imports }) => [path, imports]));
    expect(circleOf(graph)).toBeUndefined();
    const closed = new Map(graph).set('protocol/json.ts', ['protocol/message.ts']);
    expect(circleOf(closed)).toContain('protocol/json.ts');
  });

  it('names vendor SDKs in adapters only, and loads them only on use', () => {
    for (const file of files) {
      const names = importsOf(file.text).filter((name) =>
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

  it('names OpenTelemetry in its plugin only', () => {
    const users = files.filter(({ text }) =>
      importsOf(text).some((name) => name.startsWith('@opentelemetry/')),
    );
    expect(users.length).toBeGreaterThan(0);
    for (const { path } of users) expect(path).toMatch(/^plugins\/otel\//);
  });

  it('names the libraries of MCP in their room and its command only', () => {
    const users = files.filter(({ text }) =>
      importsOf(text).some((name) => name.startsWith('@modelcontextprotocol/')),
    );
    expect(users.length).toBeGreaterThan(0);
    for (const { path } of users) expect(path).toMatch(/^apps\/(mcp\/|cli\/mcp-command\.ts$)/);
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

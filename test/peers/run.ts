/**
 * Runs the tests that use peer dependencies with the oldest or the newest versions that `package.json` allows, in a
 * temporary copy: `npm run peers -- oldest` or `newest`, and if you like the names of some peers, such as `openai` or
 * `openai@6.20.0`.
 */
import { execFileSync, execSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const { peerDependencies }: { peerDependencies: Record<string, string> } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
);

/** The tests that run a peer's code. */
const testsOf: Readonly<Record<string, readonly string[]>> = {
  '@anthropic-ai/sdk': ['test/adapters/'],
  '@google/genai': ['test/adapters/'],
  '@modelcontextprotocol/client': ['test/mcp/'],
  '@modelcontextprotocol/server': ['test/mcp/'],
  '@opentelemetry/api': ['test/plugins/otel/'],
  ai: ['test/apps/ai-sdk/', 'test/adapters/ai-sdk/'],
  'libphonenumber-js': ['test/plugins/pii/'],
  openai: ['test/adapters/'],
  re2js: ['test/internal/linear-pattern', 'test/config/rules'],
  yaml: ['test/config-source/', 'test/cli/check-command'],
};

/** Tests of what only newer versions have: clients of clouds in `openai` 7, and `ai` 7. */
const newestOnly = [
  'test/adapters/openai-responses/clouds.test.ts',
  'test/apps/ai-sdk/conversions.test.ts',
  'test/apps/ai-sdk/other-models.test.ts',
  'test/apps/ai-sdk/tier-model.test.ts',
  'test/apps/ai-sdk/ui-message-stream.test.ts',
];

const [end, ...chosen] = process.argv.slice(2);
if (end !== 'oldest' && end !== 'newest') throw new Error('usage: npm run peers -- oldest|newest');
/** Version by name, for those of which one was chosen. */
const pinned = new Map(
  chosen
    .flatMap((each) => [each.match(/^(.+)@(.+)$/)?.slice(1) ?? []])
    .filter((pair): pair is [string, string] => pair.length === 2),
);
const peers =
  chosen.length > 0
    ? chosen.map((each) => each.replace(/(.)@.+$/, '$1'))
    : Object.keys(peerDependencies);
const untested = peers.filter((name) => testsOf[name] === undefined);
if (untested.length > 0) throw new Error(`no tests are listed for ${untested.join(', ')}`);

const copy = realpathSync(mkdtempSync(join(tmpdir(), 'signalbox-peers-')));
let status = 1;
try {
  copySources();
  linkPackages();
  const versions = installPeers();
  console.log(`the ${end} peers: ${versions.join(', ')}`);
  const tests = [...new Set(peers.flatMap((name) => testsOf[name] ?? []))];
  const vitest = join(root, 'node_modules/vitest/vitest.mjs');
  const excluded = end === 'oldest' ? newestOnly.map((path) => `--exclude=${path}`) : [];
  const run = spawnSync(process.execPath, [vitest, 'run', ...tests, ...excluded], {
    cwd: copy,
    stdio: 'inherit',
  });
  status = run.status ?? 1;
} finally {
  rmSync(copy, { recursive: true });
}
process.exitCode = status;

/** What git knows, as it is in the work tree, and the built package. */
function copySources(): void {
  const options = { cwd: root, encoding: 'utf8' } as const;
  const names = execFileSync('git', ['ls-files', '-z'], options).split('\0').filter(Boolean);
  for (const name of [...names, 'dist']) {
    cpSync(join(root, name), join(copy, name), { recursive: true });
  }
}

/** Every installed package, by a link. */
function linkPackages(): void {
  const installed = join(root, 'node_modules');
  for (const name of readdirSync(installed)) {
    const members = name.startsWith('@') ? readdirSync(join(installed, name)) : [''];
    for (const member of members) link(join(installed, name, member), join(name, member));
  }
}

function link(target: string, name: string): void {
  const path = join(copy, 'node_modules', name);
  mkdirSync(dirname(path), { recursive: true });
  symlinkSync(realpathSync(target), path, 'junction');
}

/** Replaces the peers by those of one end of their ranges. Returns their names with versions. */
function installPeers(): readonly string[] {
  const folder = join(copy, 'peers');
  const dependencies = Object.fromEntries(peers.map((name) => [name, versionOf(name)]));
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  // By a shell, because npm is a script on Windows. The peers are there to be compared, not to agree with each other.
  const command = 'npm install --ignore-scripts --legacy-peer-deps --no-audit --loglevel=error';
  execSync(command, { cwd: folder, stdio: 'inherit' });
  return peers.map((name) => {
    const installed = join(folder, 'node_modules', name);
    rmSync(join(copy, 'node_modules', name), { force: true });
    link(installed, name);
    const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    return `${name} ${version}`;
  });
}

/** The version at the chosen end of a peer's range, of those that were published. */
function versionOf(name: string): string {
  const range = peerDependencies[name];
  if (range === undefined) throw new Error(`${name} is not a peer`);
  const version = pinned.get(name);
  if (version !== undefined) return version;
  if (end === 'newest') return range;
  const text = execSync(`npm view "${name}@${range}" version --json`, { encoding: 'utf8' });
  const versions: string | string[] = JSON.parse(text);
  const [oldest] = [versions].flat();
  if (oldest === undefined) throw new Error(`no version of ${name} is in ${range}`);
  return oldest;
}

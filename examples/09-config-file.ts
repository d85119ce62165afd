// The tiers are in a file. When it changes, the next call goes elsewhere; an invalid change is refused.
import { copyFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRouter } from 'signalbox';
import { fileSource, loadConfig } from 'signalbox/config';
import { close, providers } from './providers.ts';

const directory = await mkdtemp(join(tmpdir(), 'signalbox-'));
const path = join(directory, 'routing.yaml');
await copyFile(new URL('routing.yaml', import.meta.url), path);

/** Replaces the file as a whole, so that nobody reads half of it. */
async function publish(text: string): Promise<void> {
  await writeFile(`${path}.tmp`, text);
  await rename(`${path}.tmp`, path);
}

const data = await loadConfig(path, { tiers: ['fast'] });
const router = createRouter({ providers, ...data });
await router.follow(fileSource(path));
console.log(`answered by ${(await router.complete('fast', 'Say hello.')).target}`);

const changed = new Promise<void>((resolve) => {
  router.once('config-change', ({ source, version, changes }) => {
    console.log(`version ${version}, from ${source}: ${changes.length} changes`);
    resolve();
  });
});
await publish('tiers:\n  fast: [anthropic/claude-haiku-4-5, openai/gpt-5.4-mini]\n');
await changed;
console.log(`answered by ${(await router.complete('fast', 'Say hello.')).target}`);

const rejected = new Promise<void>((resolve) => {
  router.once('config-rejected', ({ problems }) => {
    for (const { line, column, message } of problems) console.log(`${line}:${column} ${message}`);
    resolve();
  });
});
await publish('tiers:\n  fast: [antropic/claude-haiku-4-5]\n');
await rejected;
console.log(`answered by ${(await router.complete('fast', 'Say hello.')).target}`);

await router.close();
await close();
await rm(directory, { recursive: true });

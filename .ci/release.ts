/**
 * The steps of a release, as commands:
 *
 *   node .ci/release.ts check v1.2.3      the tag, package.json and CHANGELOG.md agree; prints the notes
 *   node .ci/release.ts package FOLDER    writes signalbox.tgz, sbom.cdx.json and notes.md
 *   node .ci/release.ts rehearse          both, publishes to a registry of this process, and installs what arrived
 */
import assert from 'node:assert/strict';
import { exec } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '..');
const { version, dependencies }: { version: string; dependencies: Record<string, string> } =
  JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** The section of a version in a changelog, without its heading. Throws without one, or if it is empty. */
export function releaseNotes(changelog: string, wanted: string): string {
  const sections = changelog.split(/^## /m).slice(1);
  // `## 1.2.3` or `## [1.2.3] - 2026-11-30`.
  const section = sections.find((each) => each.replace(/[[\]]/g, '').split(/\s/, 1)[0] === wanted);
  const notes = section?.slice(section.indexOf('\n')).trim();
  if (notes === undefined) throw new Error(`CHANGELOG.md has no section "## ${wanted}"`);
  if (notes === '') throw new Error(`CHANGELOG.md: the section "## ${wanted}" is empty`);
  return notes;
}

/** Throws unless the tag is that of the version. */
export function checkTag(tag: string, wanted: string): void {
  if (tag === `v${wanted}`) return;
  throw new Error(`the tag is ${tag}, but the version of package.json is ${wanted}`);
}

function notesOf(wanted: string): string {
  return releaseNotes(readFileSync(join(root, 'CHANGELOG.md'), 'utf8'), wanted);
}

/** Runs a command in a shell, because npm is a script on Windows. */
async function run(command: string, cwd: string): Promise<string> {
  const { stdout } = await promisify(exec)(command, { cwd, maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/**
 * The software bill of materials of an installed tarball. Not of the work tree: npm leaves out of its bill what
 * development dependencies need too.
 */
async function billOf(tarball: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-bill-'));
  try {
    writeFileSync(join(folder, 'package.json'), `{ "name": "user", "version": "${version}" }`);
    await run(`npm install --ignore-scripts --omit=peer --loglevel=error "${tarball}"`, folder);
    return await run('npm sbom --sbom-format cyclonedx --omit peer', folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function writePackage(folder: string, notes: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  await run(`npm pack --pack-destination "${folder}"`, root);
  renameSync(join(folder, `signalbox-${version}.tgz`), join(folder, 'signalbox.tgz'));
  writeFileSync(join(folder, 'sbom.cdx.json'), await billOf(join(folder, 'signalbox.tgz')));
  writeFileSync(join(folder, 'notes.md'), `${notes}\n`);
}

/** What npm sends to publish a version. */
type Publication = {
  readonly name: string;
  readonly 'dist-tags': Readonly<Record<string, string>>;
  readonly _attachments: Readonly<Record<string, { readonly data: string }>>;
};

/** Publishes a tarball to a registry that accepts everything and returns what it was sent. */
async function publishLocally(tarball: string, folder: string): Promise<Publication> {
  const { promise, resolve } = Promise.withResolvers<Publication>();
  const registry = createServer(async (request, response) => {
    if (request.method !== 'PUT') return void response.writeHead(404).end('{}');
    resolve((await json(request)) as Publication);
    response.writeHead(201).end('{}');
  });
  await new Promise<void>((listening) => registry.listen(0, '127.0.0.1', listening));
  const host = `127.0.0.1:${(registry.address() as AddressInfo).port}`;
  // npm does not publish without a token. This one is for nobody.
  writeFileSync(join(folder, '.npmrc'), `registry=http://${host}/\n//${host}/:_authToken=none\n`);
  const published = await run(`npm publish "${tarball}" --access public`, folder);
  console.log(published.trim());
  registry.close();
  registry.closeAllConnections();
  return promise;
}

async function rehearse(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'signalbox-release-'));
  try {
    // The version has no section before the day of its release.
    const notes = notesOf('Unreleased');
    const release = join(folder, 'release');
    await writePackage(release, notes);
    const tarball = join(release, 'signalbox.tgz');
    const publisher = join(folder, 'publisher');
    mkdirSync(publisher);
    const sent = await publishLocally(tarball, publisher);
    const [attachment] = Object.values(sent._attachments);
    assert.equal(sent['dist-tags'].latest, version);
    assert.deepEqual(Buffer.from(attachment?.data ?? '', 'base64'), readFileSync(tarball));
    const bill = JSON.parse(readFileSync(join(release, 'sbom.cdx.json'), 'utf8'));
    const named = new Set(bill.components.map(({ name }: { name: string }) => name));
    for (const name of ['signalbox', ...Object.keys(dependencies)])
      assert.ok(named.has(name), name);
    const user = join(folder, 'user');
    mkdirSync(user);
    writeFileSync(join(user, 'package.json'), '{ "private": true, "type": "module" }');
    const vendors = 'openai @anthropic-ai/sdk';
    await run(`npm install --ignore-scripts --loglevel=error "${tarball}" ${vendors}`, user);
    copyFileSync(join(root, 'test/runtimes/smoke.ts'), join(user, 'smoke.ts'));
    console.log((await run('node --no-warnings smoke.ts', user)).trim());
    console.log(
      `${bill.components.length} components in the bill, ${notes.split('\n').length} lines of notes`,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function main([command, argument]: readonly string[]): Promise<void> {
  if (command === 'check' && argument !== undefined) {
    checkTag(argument, version);
    console.log(notesOf(version));
  } else if (command === 'package' && argument !== undefined)
    await writePackage(argument, notesOf(version));
  else if (command === 'rehearse') await rehearse();
  else throw new Error('usage: node .ci/release.ts check TAG | package FOLDER | rehearse');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await main(process.argv.slice(2));

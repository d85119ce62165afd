// Every call is a line of a log. Whoever changes a line later is found.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRouter, type Plugin } from 'signalbox';
import { auditLog } from 'signalbox/policies';
import { close, providers } from './providers.ts';

const directory = mkdtempSync(join(tmpdir(), 'audit-'));
const file = join(directory, 'audit.jsonl');
const keyFile = join(directory, 'audit.key');
writeFileSync(keyFile, 'keep this where nobody who can change the log reads it\n');

const noPasswords: Plugin = {
  name: 'no-passwords',
  onRequest: (request) =>
    JSON.stringify(request).includes('password') ? { block: { rule: 'password' } } : request,
};
const router = createRouter({
  providers,
  tiers: { fast: ['openai/gpt-5.4-mini'] },
  plugins: [auditLog({ file, key: readFileSync(keyFile) }), noPasswords],
});
let head = '';
router.on('audit-head', (event) => {
  head = event.head;
});

await router.complete('fast', 'Hello', { tags: { user: 'ann' } });
await router
  .complete('fast', 'my password is 1234', { tags: { user: 'bob' } })
  .catch(({ code }) => console.log(code));
await router.close();

for (const line of readFileSync(file, 'utf8').trim().split('\n').slice(1)) {
  const { tags, status, target, error } = JSON.parse(line);
  console.log(`${tags.user}: ${status} ${target ?? error.rule}`);
}

function verify(): string {
  const args = ['dist/cli.js', 'audit', 'verify', file, '--key-file', keyFile, '--head', head];
  try {
    return execFileSync(process.execPath, args, { encoding: 'utf8' });
  } catch (error) {
    return String(Reflect.get(Object(error), 'stdout'));
  }
}
console.log(verify().split('\n')[0]);
writeFileSync(file, readFileSync(file, 'utf8').replace('bob', 'eve'));
console.log(verify().trim().replace(directory, ''));

rmSync(directory, { recursive: true });
await close();

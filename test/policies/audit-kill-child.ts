/** Makes calls until it is killed, and prints the id of each once it has its answer. Argument: the path of the log. */
import { writeSync } from 'node:fs';
import { createRouter } from '../../src/index.ts';
import { auditLog } from '../../src/policies.ts';
import { fakeProvider } from '../../src/testing.ts';
import { key, maxFileBytes } from './audit-kills.ts';

const [file = ''] = process.argv.slice(2);
const router = createRouter({
  providers: { a: fakeProvider('fine') },
  tiers: { t: ['a/m'] },
  plugins: [auditLog({ file, key, maxFileBytes })],
});
async function call(): Promise<void> {
  for (;;) {
    const { callId } = await router.complete('t', 'hi');
    writeSync(1, `${callId}\n`);
  }
}
await Promise.all(Array.from({ length: 5 }, call));

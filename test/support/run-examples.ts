/**
 * Runs examples one after the other in one process, which loads the vendors' SDKs once, and prints a line of JSON with
 * the outcome of each: `node run-examples.ts 01-first-answer.ts 02-failover.ts`
 */
import { registerHooks } from 'node:module';
import { format } from 'node:util';

const folder = new URL('../../examples/', import.meta.url).href;
const query = '?example=';

/** Whatever an example imports of the folder is its own, as the vendors that `providers.ts` starts. */
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const [, example] = (context.parentURL ?? '').split(query);
    if (example === undefined || !resolved.url.startsWith(folder)) return resolved;
    return { ...resolved, url: `${resolved.url}${query}${example}` };
  },
});

const { log } = console;
for (const file of process.argv.slice(2)) {
  let stdout = '';
  console.log = (...values) => {
    stdout += `${format(...values)}\n`;
  };
  let error: string | undefined;
  try {
    await import(`${folder}${file}${query}${file}`);
  } catch (reason) {
    error = format(reason);
  }
  log(JSON.stringify({ file, stdout, error }));
}

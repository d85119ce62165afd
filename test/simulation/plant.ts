import { readFileSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { type Mutation, mutations } from './mutations.ts';

const root = new URL('../../', import.meta.url).href;
const query = '?mutation=';

/** The JavaScript of each source, to read it once for all mutations. */
const scripts = new Map<string, string>();

function withMutation(text: string, { file, search, replace }: Mutation): string {
  if (text.split(search).length !== 2)
    throw new Error(`${file} does not contain exactly one "${search}"`);
  return text.replace(search, () => replace);
}

function scriptOf(url: string, mutation: Mutation): string {
  const isChanged = url === `${root}src/${mutation.file}`;
  const known = scripts.get(url);
  if (known !== undefined && !isChanged) return known;
  const text = readFileSync(new URL(url), 'utf8');
  const script = stripTypeScriptTypes(isChanged ? withMutation(text, mutation) : text);
  if (!isChanged) scripts.set(url, script);
  return script;
}

/** Whatever a module with a mutation imports of ours has it too. So each mutation has its own copy of the engine. */
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    const [, planted] = (context.parentURL ?? '').split(query);
    const isOurs = /^(?:src|test)\//.test(resolved.url.slice(root.length));
    if (planted === undefined || !isOurs || !resolved.url.startsWith(root)) return resolved;
    return { ...resolved, url: `${resolved.url}${query}${planted}` };
  },
  load(url, context, next) {
    const [path = '', number] = url.split(query);
    const mutation = number === undefined ? undefined : mutations[Number(number)];
    if (mutation === undefined) return next(url, context);
    return { format: 'module', source: scriptOf(path, mutation), shortCircuit: true };
  },
});

/** How many seeds it takes until a mutation is found, and the violation. */
export type Found = { readonly seeds: number; readonly violation: string };

/** `undefined` when `maxSeeds` from `from` on are not enough. */
export async function seedsToFind(
  mutation: Mutation,
  from: number,
  maxSeeds: number,
): Promise<Found | undefined> {
  const path = `./simulate.ts${query}${mutations.indexOf(mutation)}`;
  const { simulate }: typeof import('./simulate.ts') = await import(path);
  for (let seed = from; seed < from + maxSeeds; seed++) {
    const [violation] = await simulate(seed, mutation.focus);
    if (violation !== undefined) return { seeds: seed - from + 1, violation };
  }
  return undefined;
}

/** Finds what is still reachable, by garbage collection and by searching the strings of the heap. */
import { setImmediate as turn } from 'node:timers/promises';
import { getHeapSnapshot } from 'node:v8';

const { gc } = globalThis;
if (gc === undefined) throw new Error('run with --expose-gc');

/** Collections after which a remaining object counts as retained. */
const maxCollections = 40;

const maxSnapshots = 4;

/** Objects that must be collected, by name. */
export class Watched {
  readonly #refs = new Map<string, WeakRef<object>>();

  add<Watch extends object>(name: string, object: Watch): Watch {
    this.#refs.set(name, new WeakRef(object));
    return object;
  }

  /** The names of the objects that are not collected. */
  async retained(): Promise<readonly string[]> {
    const alive = (): string[] =>
      [...this.#refs].filter(([, ref]) => ref.deref() !== undefined).map(([name]) => name);
    for (let each = 0; each < maxCollections && alive().length > 0; each++) {
      // A `deref` keeps its object until the end of the turn.
      await turn();
      await turn();
      gc?.();
    }
    await turn();
    gc?.();
    return alive();
  }
}

/** A string that no other string of the program shares a part with. */
export function mark(name: string, kind: string): string {
  return Buffer.from(['mark', name, kind].join('~')).toString();
}

const begin = ['mark', '~'].join('');
const letters = 'abcdefghijklmnopqrstuvwxyz-~';

/** The marks in a text. Does not use a regular expression, because that would replace `RegExp.input`. */
function marksIn(text: string): readonly string[] {
  const found: string[] = [];
  for (let at = text.indexOf(begin); at >= 0; at = text.indexOf(begin, at + 1)) {
    let end = at + begin.length;
    while (letters.includes(text.charAt(end)) && text.charAt(end) !== '') end++;
    found.push(text.slice(at + begin.length, end));
  }
  return found.filter((name) => name.includes('~'));
}

async function marksOfSnapshot(): Promise<readonly string[]> {
  const found = new Set<string>();
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of getHeapSnapshot()) {
    const text = rest + decoder.decode(chunk as Uint8Array, { stream: true });
    for (const name of marksIn(text)) found.add(name);
    rest = text.slice(-200);
  }
  return [...found].sort();
}

/** All marks in strings of the heap that are not collected. */
export async function marksInHeap(): Promise<readonly string[]> {
  let found: readonly string[] = [];
  for (let each = 0; each < maxSnapshots; each++) {
    await turn();
    await turn();
    found = await marksOfSnapshot();
    if (found.length === 0) return found;
  }
  return found;
}

/** Bytes of objects and buffers after garbage collection. */
export async function bytesInUse(): Promise<number> {
  for (let each = 0; each < 5; each++) {
    await turn();
    gc?.();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** What is still reachable, by garbage collection and by a search of the heap's strings. */
import { setImmediate as turn } from 'node:timers/promises';
import { getHeapSnapshot } from 'node:v8';

const { gc } = globalThis;
if (gc === undefined) throw new Error('to be run with --expose-gc');

/** Collections after which what is still there is taken to be held. */
const mostCollections = 40;

const mostSnapshots = 4;

/** Objects that must go, by their names. */
export class Watched {
  readonly #refs = new Map<string, WeakRef<object>>();

  add<Watch extends object>(name: string, object: Watch): Watch {
    this.#refs.set(name, new WeakRef(object));
    return object;
  }

  /** The names of those that stay however often garbage is collected. */
  async held(): Promise<readonly string[]> {
    const alive = (): string[] =>
      [...this.#refs].filter(([, ref]) => ref.deref() !== undefined).map(([name]) => name);
    for (let each = 0; each < mostCollections && alive().length > 0; each++) {
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

/** A string that no other string of the program holds a part of. */
export function mark(name: string, kind: string): string {
  return Buffer.from(['mark', name, kind].join('~')).toString();
}

const begin = ['mark', '~'].join('');
const letters = 'abcdefghijklmnopqrstuvwxyz-~';

/** The marks in a text. Without a regular expression, which would take the place of the one that matched last. */
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
  for await (const piece of getHeapSnapshot()) {
    const text = rest + decoder.decode(piece as Uint8Array, { stream: true });
    for (const name of marksIn(text)) found.add(name);
    rest = text.slice(-200);
  }
  return [...found].sort();
}

/** All marks that strings of the heap have in them, however often garbage is collected. */
export async function marksInHeap(): Promise<readonly string[]> {
  let found: readonly string[] = [];
  for (let each = 0; each < mostSnapshots; each++) {
    await turn();
    await turn();
    found = await marksOfSnapshot();
    if (found.length === 0) return found;
  }
  return found;
}

/** Bytes of objects and of buffers, after garbage was collected. */
export async function bytesInUse(): Promise<number> {
  for (let each = 0; each < 5; each++) {
    await turn();
    gc?.();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

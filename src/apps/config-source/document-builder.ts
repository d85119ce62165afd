import type { Problem } from '../../config/problems.ts';
import { maxDataDepth } from '../../internal/caller-data.ts';
import type { Locate, Position } from '../../internal/document-positions.ts';

/** More than any configuration has. Bounds what aliases can multiply. */
const maxValues = 100_000;

/** Ends the reading of a document. Its problem is in the builder. */
class UnreadableDocument extends Error {}

/** A parsed document: its value, what is wrong with it as a text, and where its values are. */
export type ParsedDocument = {
  readonly value: unknown;
  readonly problems: readonly Problem[];
  readonly locate: Locate;
};

/** Returns the position of an offset in the text. */
function positionFinder(text: string, document: string | undefined): (offset: number) => Position {
  let starts: number[] | undefined;
  return (offset) => {
    if (starts === undefined) {
      starts = [0];
      for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1))
        starts.push(at + 1);
    }
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    const column = offset - (starts[low] ?? 0) + 1;
    return { ...(document !== undefined && { document }), line: low + 1, column };
  };
}

/** Builds the value of a document while a reader parses its text, with the same rules for every format. */
export class DocumentBuilder {
  readonly #positionAt: (offset: number) => Position;
  readonly #offsets = new Map<object, Map<PropertyKey, number>>();
  readonly #problems: Problem[] = [];
  readonly #path: PropertyKey[] = [];
  #rootOffset = 0;
  #count = 0;

  constructor(text: string, document: string | undefined) {
    this.#positionAt = positionFinder(text, document);
  }

  /** Adds a problem at the current path, and goes on. */
  report(offset: number, message: string): void {
    this.#problems.push({ path: [...this.#path], message, position: this.#positionAt(offset) });
  }

  /** Adds a problem and ends the reading. @throws UnreadableDocument */
  stop(offset: number, message: string): never {
    this.report(offset, message);
    throw new UnreadableDocument(message);
  }

  /** Counts values. @throws UnreadableDocument when there are too many */
  count(values: number, offset: number): void {
    this.#count += values;
    if (this.#count > maxValues) this.stop(offset, `has more than ${maxValues} values`);
  }

  /** Number of values so far. */
  get counted(): number {
    return this.#count;
  }

  /**
   * Sets a field or an element to what `read` returns.
   * @throws UnreadableDocument when it is nested too deeply
   */
  set(container: object, key: string | number, offset: number, read: () => unknown): void {
    let offsets = this.#offsets.get(container);
    if (offsets === undefined) {
      offsets = new Map();
      this.#offsets.set(container, offsets);
    }
    this.#path.push(key);
    if (this.#path.length >= maxDataDepth) {
      this.stop(offset, `is nested more than ${maxDataDepth} levels deep`);
    }
    if (key === '__proto__') this.report(offset, 'a field must not be called "__proto__"');
    else if (offsets.has(key)) this.report(offset, 'is defined twice; remove one of them');
    offsets.set(key, offset);
    const value = read();
    // A plain assignment to "__proto__" would set the prototype.
    if (key !== '__proto__') Reflect.set(container, key, value);
    this.#path.pop();
  }

  /** Reads the whole document. */
  build(rootOffset: number, read: () => unknown): ParsedDocument {
    this.#rootOffset = rootOffset;
    let value: unknown;
    try {
      value = read();
    } catch (error) {
      if (!(error instanceof UnreadableDocument)) throw error;
    }
    const locate: Locate = (path) => this.#locate(value, path);
    return { value, problems: this.#problems, locate };
  }

  #locate(root: unknown, path: readonly PropertyKey[]): Position {
    let value = root;
    let offset = this.#rootOffset;
    for (const key of path) {
      if (typeof value !== 'object' || value === null) break;
      // A tier may be the list of its targets.
      if (Array.isArray(value) && key === 'targets') continue;
      const next = this.#offsets.get(value)?.get(key);
      if (next === undefined) break;
      offset = next;
      value = Reflect.get(value, key);
    }
    return this.#positionAt(offset);
  }
}

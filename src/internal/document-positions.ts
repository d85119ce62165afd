/** A position in the text of a document. Line and column count from 1. */
export type Position = {
  /** The document's name, such as its file name. */
  readonly document?: string;
  readonly line: number;
  readonly column: number;
};

/** Returns where the value at a path is, or the nearest value around it. */
export type Locate = (path: readonly PropertyKey[]) => Position | undefined;

type Parsed = { readonly root: object; readonly locate: Locate };

/** By the document, and by its `tiers`, which are the same object in `{ providers, ...document }`. */
const documents = new WeakMap<object, Parsed>();

function tiersOf(data: object): object | undefined {
  const tiers: unknown = Reflect.get(data, 'tiers');
  return typeof tiers === 'object' && tiers !== null ? tiers : undefined;
}

/** Keeps where the values of a parsed document are, so that later checks can report it. */
export function rememberPositions(root: object, locate: Locate): void {
  const parsed = { root, locate };
  documents.set(root, parsed);
  const tiers = tiersOf(root);
  if (tiers !== undefined) documents.set(tiers, parsed);
}

/** The positions in the text that the data was parsed from. Parts of other origin have none. */
export function positionsIn(data: unknown): Locate | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const tiers = tiersOf(data);
  const parsed = documents.get(data) ?? (tiers && documents.get(tiers));
  if (parsed === undefined) return undefined;
  const { root, locate } = parsed;
  return (path) => {
    const [first] = path;
    if (first === undefined) return locate(path);
    return Reflect.get(data, first) === Reflect.get(root, first) ? locate(path) : undefined;
  };
}

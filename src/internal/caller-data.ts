/** Most levels of nested data: more would exhaust the stack of recursive readers. */
export const maxDataDepth = 100;

/** Most values of nested data, counting a shared value each time it occurs. More do not fit into a prompt. */
const maxDataValues = 1_000_000;

/** Why data cannot be walked or sent. */
export type DataFlaw = {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** `nesting`: the data must not be traversed. */
  readonly kind: 'nesting' | 'name' | 'bigint';
};

/** A value whose fields are being visited. */
type Frame = {
  readonly key: PropertyKey;
  readonly value: object;
  readonly keys: readonly string[] | undefined;
  readonly length: number;
  next: number;
  /** Values in it so far, including itself. */
  count: number;
  /** Levels below it so far. */
  height: number;
};

/** Size of a value that has been visited. */
type Measured = { readonly count: number; readonly height: number };

/** Whether the value's fields are data. False for bytes and for instances with `toJSON`. */
function isNested(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false;
  return Object.hasOwn(value, 'toJSON') || typeof Reflect.get(value, 'toJSON') !== 'function';
}

function frameOf(key: PropertyKey, value: object): Frame {
  const keys = Array.isArray(value) ? undefined : Object.keys(value);
  const length = Array.isArray(value) ? value.length : (keys?.length ?? 0);
  return { key, value, keys, length, next: 0, count: 1, height: 0 };
}

/**
 * Finds structural problems of nested data: cycles, too many levels or values, a field called `__proto__`, big integers,
 * promises. Visits each object once, without recursion.
 */
export function dataFlaws(data: unknown): readonly DataFlaw[] {
  if (typeof data === 'bigint') return [bigintAt([])];
  if (data instanceof Promise) {
    return [{ path: [], message: 'is a Promise: await it first', kind: 'nesting' }];
  }
  if (!isNested(data)) return [];
  const flaws: DataFlaw[] = [];
  const measured = new Map<object, Measured>();
  const open = new Set<object>([data]);
  const stack: Frame[] = [frameOf('', data)];
  const here = (): readonly PropertyKey[] => stack.slice(1).map((frame) => frame.key);
  const pathTo = (key: PropertyKey): readonly PropertyKey[] => [...here(), key];
  const report = (key: PropertyKey, kind: DataFlaw['kind'], message: string): void => {
    flaws.push({ path: pathTo(key), message, kind });
  };

  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    if (frame.length > maxDataValues || frame.count > maxDataValues) {
      const message = `has more than ${maxDataValues} values`;
      return [{ path: here(), message, kind: 'nesting' }];
    }
    if (frame.next >= frame.length) {
      stack.pop();
      open.delete(frame.value);
      measured.set(frame.value, frame);
      const parent = stack.at(-1);
      if (parent !== undefined) add(parent, frame);
      continue;
    }
    const key = frame.keys === undefined ? frame.next : (frame.keys[frame.next] ?? '');
    frame.next += 1;
    const value: unknown = Reflect.get(frame.value, key);
    if (key === '__proto__') report(key, 'name', 'a field must not be called "__proto__"');
    if (typeof value === 'bigint') flaws.push(bigintAt(pathTo(key)));
    if (value instanceof Promise) report(key, 'nesting', 'is a Promise: await it first');
    if (!isNested(value)) {
      frame.count += 1;
      continue;
    }
    const known = measured.get(value);
    if (open.has(value))
      report(key, 'nesting', 'refers back to an object that contains it (a cycle)');
    else if (stack.length + (known?.height ?? 0) >= maxDataDepth) {
      report(key, 'nesting', `is nested more than ${maxDataDepth} levels deep`);
    } else if (known !== undefined) add(frame, known);
    else {
      open.add(value);
      stack.push(frameOf(key, value));
    }
  }
  return flaws;
}

function add(parent: Frame, child: Measured): void {
  parent.count += child.count;
  parent.height = Math.max(parent.height, child.height + 1);
}

function bigintAt(path: readonly PropertyKey[]): DataFlaw {
  const message = 'is a BigInt, which JSON does not support: use a number or a string';
  return { path, message, kind: 'bigint' };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** Also true for bytes of another realm, where `instanceof` is false. */
function isBytes(value: unknown): boolean {
  const tag = Object.prototype.toString.call(value);
  return tag === '[object Uint8Array]' || tag === '[object ArrayBuffer]';
}

/** Why the source of an image, audio or file part is invalid; `undefined` when it is valid. */
export function mediaProblem(source: unknown): string | undefined {
  const kinds = 'must be { url }, { data, mediaType } or { ref }';
  if (!isObject(source)) return kinds;
  const { mediaType } = source;
  if (mediaType !== undefined && typeof mediaType !== 'string') return 'mediaType must be a string';
  if ('ref' in source) {
    const { ref } = source;
    const isRef = isObject(ref) && typeof ref.provider === 'string' && typeof ref.id === 'string';
    return isRef ? undefined : 'ref must be { provider, id }, both strings';
  }
  if ('url' in source) return typeof source.url === 'string' ? undefined : 'url must be a string';
  if (!('data' in source)) return kinds;
  if (mediaType === undefined) return 'data needs a mediaType';
  const isData = typeof source.data === 'string' || isBytes(source.data);
  return isData ? undefined : 'data must be a Uint8Array, or base64 as a string';
}

/** Like `Array.prototype.every`, but also checks the holes of sparse arrays. */
export function everyElement<Element>(
  list: readonly unknown[],
  holds: (element: unknown) => element is Element,
): list is readonly Element[] {
  for (const element of list) if (!holds(element)) return false;
  return true;
}

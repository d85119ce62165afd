/** A map of the latest entries: once there are more than `max`, the least recently set or refreshed ones are removed. */
export class Latest<Key, Value> {
  readonly #entries = new Map<Key, Value>();
  readonly #max: number;
  readonly #isKept: (value: Value) => boolean;

  /** Entries for which `isKept` returns true are not removed, even if there are more than `max` of them. */
  constructor(max: number, isKept: (value: Value) => boolean = () => false) {
    this.#max = max;
    this.#isKept = isKept;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  values(): Iterable<Value> {
    return this.#entries.values();
  }

  entries(): Iterable<readonly [Key, Value]> {
    return this.#entries;
  }

  set(key: Key, value: Value): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    let excess = this.#entries.size - this.#max;
    if (excess <= 0) return;
    for (const [oldKey, old] of this.#entries) {
      if (old === value || this.#isKept(old)) continue;
      this.#entries.delete(oldKey);
      excess -= 1;
      if (excess <= 0) return;
    }
  }

  delete(key: Key): void {
    this.#entries.delete(key);
  }

  /** The value of the key, which counts as set now; made if there is none. */
  getOrMake(key: Key, make: () => Value): Value {
    const known = this.#entries.get(key);
    const value = known === undefined ? make() : known;
    this.set(key, value);
    return value;
  }
}

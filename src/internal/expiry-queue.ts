/** Something that ends by itself. */
export type Expiring = {
  /** Epoch milliseconds. May become later while it is in the queue. */
  expiresAt: number;
  /** Ended before it expired. */
  isGone: boolean;
};

type Entry<Item> = { readonly at: number; readonly item: Item };

/** Items that ended early are removed when there are more of them than this, and than of the others. */
const maxGone = 64;

/**
 * Items by the time at which they expire: a binary heap. Adding an item that expires after the others takes constant
 * time, and memory stays within about twice the items that have not ended.
 */
export class ExpiryQueue<Item extends Expiring> {
  #heap: Entry<Item>[] = [];
  #gone = 0;

  add(item: Item): void {
    this.#push({ at: item.expiresAt, item });
  }

  /** Ends an item before it expires. */
  drop(item: Item): void {
    item.isGone = true;
    this.#gone += 1;
    if (this.#gone <= maxGone || this.#gone * 2 <= this.#heap.length) return;
    const entries = this.#heap.filter((entry) => !entry.item.isGone);
    this.#heap = [];
    this.#gone = 0;
    for (const entry of entries.sort((a, b) => a.at - b.at)) this.#heap.push(entry);
  }

  /** Removes and returns an item that has expired by `now`. */
  take(now: number): Item | undefined {
    for (let top = this.#heap[0]; top !== undefined && top.at <= now; top = this.#heap[0]) {
      this.#removeTop();
      const { item, at } = top;
      if (item.isGone) this.#gone -= 1;
      else if (item.expiresAt > at) this.add(item);
      else return item;
    }
    return undefined;
  }

  #push(entry: Entry<Item>): void {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || parent.at <= entry.at) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = entry;
  }

  #removeTop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      let child = heap[childIndex];
      const right = heap[childIndex + 1];
      if (child !== undefined && right !== undefined && right.at < child.at) {
        child = right;
        childIndex += 1;
      }
      if (child === undefined || child.at >= last.at) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
  }
}

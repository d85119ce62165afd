const minBlockBytes = 4_096;
const maxBlockBytes = 1_048_576;

/**
 * Collects bytes that arrive in chunks. Copies them into blocks, because a chunk of one byte is an object of about 100
 * bytes, and a slice of a larger buffer keeps the whole buffer in memory.
 */
export class ByteCollector {
  #full: Buffer[] = [];
  #block = Buffer.alloc(0);
  #used = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#used === this.#block.length) this.#open(chunk.length - at);
      const count = Math.min(chunk.length - at, this.#block.length - this.#used);
      this.#block.set(chunk.subarray(at, at + count), this.#used);
      this.#used += count;
      at += count;
    }
    this.#length += chunk.length;
  }

  /** Returns all that was added, and empties the collector. */
  take(): Buffer {
    const last = this.#block.subarray(0, this.#used);
    const whole = this.#full.length === 0 ? last : Buffer.concat([...this.#full, last]);
    this.#full = [];
    this.#block = Buffer.alloc(0);
    this.#used = 0;
    this.#length = 0;
    return whole;
  }

  #open(needed: number): void {
    if (this.#used > 0) this.#full.push(this.#block);
    // Doubles, so that small bodies take little memory and large ones few blocks.
    const size = Math.max(minBlockBytes, needed, this.#length);
    this.#block = Buffer.allocUnsafe(Math.min(size, maxBlockBytes));
    this.#used = 0;
  }
}

const maxLooseChunks = 1_024;

/**
 * Collects text that arrives in chunks. Joins them in batches, because `+=` allocates 32 bytes per chunk, which is a lot
 * for a chunk of one character.
 */
export class TextCollector {
  #joined = '';
  #loose: string[] = [];

  get isEmpty(): boolean {
    return this.#joined === '' && this.#loose.length === 0;
  }

  add(chunk: string): void {
    if (chunk === '') return;
    this.#loose.push(chunk);
    if (this.#loose.length >= maxLooseChunks) this.#join();
  }

  /** Returns all that was added, and empties the collector. */
  take(): string {
    if (this.isEmpty) return '';
    this.#join();
    const whole = this.#joined;
    this.#joined = '';
    return whole;
  }

  #join(): void {
    this.#joined += this.#loose.join('');
    this.#loose = [];
  }
}

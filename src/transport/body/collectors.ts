const minBlockBytes = 4_096;
const maxBlockBytes = 1_048_576;

/**
 * Collects bytes that arrive in pieces. They are copied into blocks, because a piece of one byte is an object of a
 * hundred, and a part of a larger buffer keeps all of that buffer alive.
 */
export class ByteCollector {
  #full: Buffer[] = [];
  #block = Buffer.alloc(0);
  #used = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(piece: Uint8Array): void {
    let at = 0;
    while (at < piece.length) {
      if (this.#used === this.#block.length) this.#open(piece.length - at);
      const count = Math.min(piece.length - at, this.#block.length - this.#used);
      this.#block.set(piece.subarray(at, at + count), this.#used);
      this.#used += count;
      at += count;
    }
    this.#length += piece.length;
  }

  /** All that has been added; the collector is empty after that. */
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
    // As much again as there is, so that small bodies take little and large ones few blocks.
    const size = Math.max(minBlockBytes, needed, this.#length);
    this.#block = Buffer.allocUnsafe(Math.min(size, maxBlockBytes));
    this.#used = 0;
  }
}

const maxLoosePieces = 1_024;

/**
 * Collects text that arrives in pieces. `+=` makes an object of 32 bytes for each piece, which is a lot for a piece of
 * one character, so pieces are joined now and then.
 */
export class TextCollector {
  #joined = '';
  #loose: string[] = [];

  get isEmpty(): boolean {
    return this.#joined === '' && this.#loose.length === 0;
  }

  add(piece: string): void {
    if (piece === '') return;
    this.#loose.push(piece);
    if (this.#loose.length >= maxLoosePieces) this.#join();
  }

  /** All that has been added; the collector is empty after that. */
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

/** An image of one transparent pixel, as a PNG in base64. */
export const onePixelPng =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';

const defaultDimensions = 8;

/** FNV-1a, so that the same text always gives the same vector. */
function hash(text: string, seed: number): number {
  let value = 0x811c9dc5 ^ seed;
  for (const character of text) {
    value = Math.imul(value ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  return (value >>> 0) / 2 ** 32;
}

/** A vector for a text, with components between -1 and 1. */
export function simulatedVector(text: string, dimensions = defaultDimensions): readonly number[] {
  return Array.from({ length: dimensions }, (_, index) => hash(text, index) * 2 - 1);
}

/** Longer words are not compared. */
const maxLength = 100;

/**
 * Levenshtein distance, computed row by row; `undefined` when it is more than `max`. Computes only the cells within
 * `max` of the diagonal, since all others are larger.
 */
function distance(a: readonly string[], b: readonly string[], max: number): number | undefined {
  if (Math.abs(a.length - b.length) > max) return undefined;
  const far = max + 1;
  let row = Array.from({ length: b.length + 1 }, (_, index) => Math.min(index, far));
  for (const [i, character] of a.entries()) {
    const next = new Array<number>(b.length + 1).fill(far);
    next[0] = Math.min(i + 1, far);
    let least = next[0];
    const end = Math.min(b.length, i + 1 + max);
    for (let j = Math.max(0, i - max); j < end; j++) {
      const replace = (row[j] ?? far) + (character === b[j] ? 0 : 1);
      const cost = Math.min(replace, (row[j + 1] ?? far) + 1, (next[j] ?? far) + 1, far);
      next[j + 1] = cost;
      least = Math.min(least, cost);
    }
    if (least > max) return undefined;
    row = next;
  }
  const cost = row[b.length] ?? far;
  return cost > max ? undefined : cost;
}

/** The one of `words` that `word` is most likely a typo of; `undefined` when none is close. */
export function closest(word: string, words: readonly string[]): string | undefined {
  if (word.length > maxLength) return undefined;
  const asked = [...word.toLowerCase()];
  let nearest: { readonly word: string; readonly cost: number } | undefined;
  for (const each of words) {
    if (each.length > maxLength) continue;
    const letters = [...each.toLowerCase()];
    // Short words are few edits apart even when they have nothing in common.
    const max = Math.min(
      Math.max(2, Math.floor(letters.length / 3)),
      Math.max(asked.length, letters.length) - 1,
    );
    const cost = distance(asked, letters, max);
    if (cost !== undefined && cost < (nearest?.cost ?? Number.POSITIVE_INFINITY)) {
      nearest = { word: each, cost };
    }
  }
  return nearest?.word;
}

/** Longer words are not compared: nobody types them. */
const maxLength = 100;

/**
 * Levenshtein distance, one row at a time; `undefined` when it is more than `most`. Only the cells within `most` of
 * the diagonal are looked at, since all others are more.
 */
function distance(a: readonly string[], b: readonly string[], most: number): number | undefined {
  if (Math.abs(a.length - b.length) > most) return undefined;
  const far = most + 1;
  let row = Array.from({ length: b.length + 1 }, (_, index) => Math.min(index, far));
  for (const [i, character] of a.entries()) {
    const next = new Array<number>(b.length + 1).fill(far);
    next[0] = Math.min(i + 1, far);
    let least = next[0];
    const end = Math.min(b.length, i + 1 + most);
    for (let j = Math.max(0, i - most); j < end; j++) {
      const replace = (row[j] ?? far) + (character === b[j] ? 0 : 1);
      const cost = Math.min(replace, (row[j + 1] ?? far) + 1, (next[j] ?? far) + 1, far);
      next[j + 1] = cost;
      least = Math.min(least, cost);
    }
    if (least > most) return undefined;
    row = next;
  }
  const cost = row[b.length] ?? far;
  return cost > most ? undefined : cost;
}

/** The one of `words` that `word` was most likely meant to be; `undefined` when none is near. */
export function closest(word: string, words: readonly string[]): string | undefined {
  if (word.length > maxLength) return undefined;
  const asked = [...word.toLowerCase()];
  let nearest: { readonly each: string; readonly cost: number } | undefined;
  for (const each of words) {
    if (each.length > maxLength) continue;
    const letters = [...each.toLowerCase()];
    // Two short words that have nothing in common are few edits apart as well.
    const most = Math.min(
      Math.max(2, Math.floor(letters.length / 3)),
      Math.max(asked.length, letters.length) - 1,
    );
    const cost = distance(asked, letters, most);
    if (cost !== undefined && cost < (nearest?.cost ?? Number.POSITIVE_INFINITY)) {
      nearest = { each, cost };
    }
  }
  return nearest?.each;
}

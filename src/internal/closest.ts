/** Levenshtein distance, one row at a time. */
function distance(a: readonly string[], b: readonly string[]): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, character] of a.entries()) {
    const next = [i + 1];
    for (const [j, other] of b.entries()) {
      const replace = (row[j] ?? 0) + (character === other ? 0 : 1);
      next.push(Math.min(replace, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The one of `words` that `word` was most likely meant to be; `undefined` when none is near. */
export function closest(word: string, words: readonly string[]): string | undefined {
  const asked = [...word.toLowerCase()];
  const near = words
    .map((each) => ({ each, letters: [...each.toLowerCase()] }))
    .map(({ each, letters }) => ({
      each,
      cost: distance(asked, letters),
      // Two short words that have nothing in common are few edits apart as well.
      most: Math.min(
        Math.max(2, Math.floor(letters.length / 3)),
        Math.max(asked.length, letters.length) - 1,
      ),
    }))
    .filter(({ cost, most }) => cost <= most)
    .sort((a, b) => a.cost - b.cost);
  return near[0]?.each;
}

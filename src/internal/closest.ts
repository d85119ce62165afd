/** Levenshtein distance, one row at a time. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, character] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const replace = (row[j] ?? 0) + (character === other ? 0 : 1);
      next.push(Math.min(replace, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

/** The one of `words` that `word` was most likely meant to be; `undefined` when none is near. */
export function closest(word: string, words: readonly string[]): string | undefined {
  const near = words
    .map((each) => ({
      each,
      cost: distance(word.toLowerCase(), each.toLowerCase()),
    }))
    .filter(({ each, cost }) => cost <= Math.max(2, Math.floor(each.length / 3)))
    .sort((a, b) => a.cost - b.cost);
  return near[0]?.each;
}

/** Runs `count` tasks with the given concurrency. */
export async function runMany(
  count: number,
  concurrency: number,
  task: () => Promise<unknown>,
): Promise<void> {
  let left = count;
  async function worker(): Promise<void> {
    while (left-- > 0) await task();
  }
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
}

/** CPU time of this process per task in microseconds: user and system, all threads. */
export async function cpuOf(
  count: number,
  concurrency: number,
  task: () => Promise<unknown>,
): Promise<number> {
  const before = process.cpuUsage();
  await runMany(count, concurrency, task);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** The median of the ratios per round, so that a slow phase of the machine affects both sides. */
export function medianRatio(values: readonly number[], base: readonly number[]): number {
  return median(values.map((value, round) => value / (base[round] ?? Number.NaN)));
}

/** Parses `name=value` arguments. */
export function argumentsOf(): Readonly<Record<string, string>> {
  return Object.fromEntries(process.argv.slice(2).map((each) => each.split('=')));
}

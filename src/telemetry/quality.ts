/** Fewer scores may be chance. */
const scoresNeeded = 10;

/** From here on, each score replaces one of so many: enough for an average, few enough to follow a model that changes. */
const scoresKept = 50;

/**
 * Milliseconds. After this time without feedback, the scores are forgotten: a demoted target gets few calls, so its scores
 * would stand forever.
 */
const forgottenMs = 6 * 3_600_000;

/** The average score of a target's answers, and of how many. */
type Quality = { readonly score: number; readonly scores: number };

/** The average of the latest scores. */
class AverageScore {
  #score = 0;
  #scores = 0;
  #at = 0;

  add(score: number, now: number): void {
    const before = this.known(now)?.scores ?? 0;
    this.#scores = Math.min(before + 1, scoresKept);
    this.#score += (score - this.#score) / this.#scores;
    this.#at = now;
  }

  known(now: number): Quality | undefined {
    const isKnown = this.#scores > 0 && now - this.#at < forgottenMs;
    return isKnown ? { score: this.#score, scores: this.#scores } : undefined;
  }
}

/** How good the answers of targets were, by what feedback says: for each tier apart, because tasks differ. */
export class QualityStatistics {
  /** By target, then by tier. */
  readonly #targets = new Map<string, Map<string, AverageScore>>();

  record(
    { target, tier }: { readonly target: string; readonly tier: string },
    score: number,
    now: number,
  ): void {
    const tiers = this.#targets.get(target) ?? new Map<string, AverageScore>();
    this.#targets.set(target, tiers);
    const average = tiers.get(tier) ?? new AverageScore();
    tiers.set(tier, average);
    average.add(score, now);
  }

  /** From 0 to 1; `undefined` while too little is known, or nothing of late. */
  score(target: string, tier: string, now: number): number | undefined {
    const known = this.#targets.get(target)?.get(tier)?.known(now);
    return known !== undefined && known.scores >= scoresNeeded ? known.score : undefined;
  }

  /** By tier; `undefined` without any. */
  ofTarget(target: string, now: number): Readonly<Record<string, Quality>> | undefined {
    const entries = [...(this.#targets.get(target) ?? [])].flatMap(([tier, average]) => {
      const known = average.known(now);
      return known === undefined ? [] : [[tier, known] as const];
    });
    return entries.length === 0 ? undefined : Object.fromEntries(entries);
  }

  /** Keeps only these tiers and targets. */
  prune(tiers: { has(tier: string): boolean }, targets: { has(target: string): boolean }): void {
    for (const [target, byTier] of this.#targets) {
      if (!targets.has(target)) this.#targets.delete(target);
      for (const tier of byTier.keys()) if (!tiers.has(tier)) byTier.delete(tier);
    }
  }
}

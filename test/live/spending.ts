/** Thrown instead of sending a request that could exceed the cap. */
export class CapReached extends Error {
  override readonly name = 'CapReached';
}

/** What the run has spent, in US dollars. Requests run one after another, so nothing else is reserved meanwhile. */
export class Spending {
  readonly maxUsd: number;
  #spentUsd = 0;

  constructor(maxUsd: number) {
    this.maxUsd = maxUsd;
  }

  get spentUsd(): number {
    return this.#spentUsd;
  }

  /**
   * Checks that a request that costs at most `boundUsd` fits.
   * @throws CapReached
   */
  check(boundUsd: number): void {
    const leftUsd = this.maxUsd - this.#spentUsd;
    if (boundUsd <= leftUsd) return;
    throw new CapReached(
      `could cost ${formatUsd(boundUsd)}, but only ${formatUsd(leftUsd)} is left of --max-usd ${this.maxUsd}`,
    );
  }

  add(usd: number): void {
    this.#spentUsd += usd;
  }
}

const smallestShownUsd = 0.000001;

/** Formats an amount with six decimals, enough for one small request. */
export function formatUsd(usd: number): string {
  return usd > 0 && usd < smallestShownUsd ? '<$0.000001' : `$${usd.toFixed(6)}`;
}

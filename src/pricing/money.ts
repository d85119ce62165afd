/**
 * The price of one unit (a token, a search) in atto-dollars: 1e-18 US dollars. A price per million tokens with twelve
 * decimals is a whole number, so nothing is rounded before the sum.
 */
export type Rate = bigint;

/** A factor such as 5/3. A fraction, because list prices are rarely round multiples of each other. */
export type Ratio = readonly [numerator: number, denominator: number];

const decimalsOfPrice = 12;
const attoPerNano = 10n ** 9n;
const nanoPerUsd = 1e9;

/** The rate of one token at `usd` per million. Drops the binary floating-point noise beyond 12 decimals. */
export function ratePerMillion(usd: number): Rate {
  return BigInt(usd.toFixed(decimalsOfPrice).replace('.', ''));
}

/** The rate of one search or request at `usd` per thousand. */
export function ratePerThousand(usd: number): Rate {
  return ratePerMillion(usd) * 1000n;
}

/** The inverse of {@link ratePerMillion}. */
export function usdPerMillion(rate: Rate): number {
  return Number(rate) / 10 ** decimalsOfPrice;
}

/** `amount` times `ratio`, rounded half up to an atto-dollar. */
export function scale(amount: bigint, [numerator, denominator]: Ratio): bigint {
  if (numerator === denominator) return amount;
  return divideHalfUp(amount * BigInt(numerator), BigInt(denominator));
}

/**
 * Converts atto-dollars to whole nano-dollars. Rounds the running total (half up) and gives each line the difference,
 * so the lines add up exactly to the rounded sum, whose error is at most half a nano-dollar for any number of lines.
 * Zero lines stay zero.
 */
export function toNano(lines: readonly bigint[]): number[] {
  let exact = 0n;
  let rounded = 0n;
  return lines.map((line) => {
    if (line === 0n) return 0;
    exact += line;
    const next = divideHalfUp(exact, attoPerNano);
    const share = next - rounded;
    rounded = next;
    return Number(share);
  });
}

/** Nano-dollars as US dollars: the double nearest to the decimal. */
export function usdOf(nano: number): number {
  return nano / nanoPerUsd;
}

/** Adds amounts of US dollars as whole nano-dollars, so that long sums do not drift. */
export function addUsd(amounts: Iterable<number>): number {
  let nano = 0;
  for (const usd of amounts) nano += Math.round(usd * nanoPerUsd);
  return usdOf(nano);
}

/** Both arguments must not be negative. */
function divideHalfUp(amount: bigint, divisor: bigint): bigint {
  return (amount * 2n + divisor) / (divisor * 2n);
}

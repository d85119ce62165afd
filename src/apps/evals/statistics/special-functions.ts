/**
 * The functions that the statistics are made of. Each names the source of its formula; relative errors are below 1e-12
 * for the arguments that occur here.
 */

/** Lanczos' coefficients for g = 7 and nine terms, in the form of Godfrey (2001). */
const lanczos = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
  -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
  1.5056327351493116e-7,
];

/** The natural logarithm of the gamma function, for positive arguments: Lanczos (1964). */
export function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const base = x + 6.5;
  const sum = lanczos.reduce(
    (total, c, index) => total + (index === 0 ? c : c / (x - 1 + index)),
    0,
  );
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(base) - base + Math.log(sum);
}

/** The natural logarithm of the beta function. */
export function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

/** The natural logarithm of "n choose k". */
export function logBinomial(n: number, k: number): number {
  return k === 0 || k === n ? 0 : -Math.log(n + 1) - logBeta(n - k + 1, k + 1);
}

/**
 * The regularised incomplete beta function: the distribution function of Beta(a, b) at `x`. Continued fraction of
 * Abramowitz and Stegun (26.5.8), evaluated by the method of Lentz (1976).
 */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges quickly below the mean only.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) - logBeta(a, b)) / a;
  const tiny = 1e-300;
  let c = 1;
  let d = 1 / awayFromZero(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= 10_000; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / awayFromZero(1 + even * d);
    c = awayFromZero(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / awayFromZero(1 + odd * d);
    c = awayFromZero(1 + odd / c);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return front * fraction;

  function awayFromZero(value: number): number {
    return Math.abs(value) < tiny ? tiny : value;
  }
}

/** The `x` at which Beta(a, b) has the share `p` of its mass below: bisection of {@link incompleteBeta}. */
export function betaQuantile(p: number, a: number, b: number): number {
  return p <= 0 ? 0 : p >= 1 ? 1 : bisect((x) => incompleteBeta(x, a, b) - p, 0, 1);
}

/**
 * The distribution function of the standard normal: the series of Marsaglia (2004) near the middle, Laplace's
 * continued fraction in the tails, so that small tails keep their relative accuracy.
 */
export function normalCdf(x: number): number {
  const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);
  if (Math.abs(x) < 3) {
    let term = x;
    let sum = x;
    for (let n = 3; Math.abs(term) > 1e-18; n += 2) {
      term *= (x * x) / n;
      sum += term;
    }
    return 0.5 + density * sum;
  }
  let fraction = Math.abs(x);
  for (let n = 150; n >= 1; n -= 1) fraction = Math.abs(x) + n / fraction;
  return x < 0 ? density / fraction : 1 - density / fraction;
}

/** The `x` below which the standard normal has the share `p` of its mass: bisection of {@link normalCdf}. */
export function normalQuantile(p: number): number {
  if (p > 0.5) return -normalQuantile(1 - p);
  return p <= 0 ? Number.NEGATIVE_INFINITY : bisect((x) => normalCdf(x) - p, -38, 0);
}

/** Where a function that does not decrease between `low` and `high` becomes positive, to the last digit. */
export function bisect(f: (x: number) => number, low: number, high: number): number {
  let below = low;
  let above = high;
  for (let round = 0; round < 200; round += 1) {
    const middle = (below + above) / 2;
    if (middle <= below || middle >= above) break;
    if (f(middle) < 0) below = middle;
    else above = middle;
  }
  return (below + above) / 2;
}

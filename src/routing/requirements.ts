import { quotedList } from '../internal/quoted.ts';
import type { Compliance, Requires } from '../protocol/requires.ts';

/** What is known of a target. Looked up when it is read, because most requirements need little of it. */
export type RequiredFacts = {
  readonly compliance: Compliance;
  /** US dollars that one attempt is expected to cost; `undefined` when the price is unknown. */
  readonly usd: number | undefined;
  /** Milliseconds; `undefined` while too little is known, or nothing of late. */
  readonly p95FirstTokenMs: number | undefined;
  readonly p95TotalMs: number | undefined;
  /** Average score, from 0 to 1; `undefined` while too little is known. */
  readonly quality: number | undefined;
};

/** What is declared: of the target over that of its provider, field by field. */
export function complianceOf(ofProvider: Compliance = {}, ofTarget?: Compliance): Compliance {
  if (ofTarget === undefined) return ofProvider;
  const declared = Object.entries(ofTarget).filter(([, value]) => value !== undefined);
  return { ...ofProvider, ...Object.fromEntries(declared) };
}

/** Enough digits to compare it with a limit. */
function shownUsd(usd: number): string {
  return `$${Number(usd.toPrecision(6))}`;
}

function costProblem(maxUsd: number, { usd }: RequiredFacts): string | undefined {
  const option = `requires.maxEstimatedUsd is ${shownUsd(maxUsd)}`;
  if (usd === undefined) return `its price is unknown, and ${option}`;
  return usd > maxUsd ? `it is estimated at ${shownUsd(usd)}, and ${option}` : undefined;
}

function regionProblem(
  regions: readonly string[],
  { compliance: { region } }: RequiredFacts,
): string | undefined {
  if (region !== undefined && regions.includes(region)) return undefined;
  const what = region === undefined ? 'it declares no region' : `its region is "${region}"`;
  return `${what}, and requires.regions has ${quotedList(regions)}`;
}

/** What a target must declare if it is required. */
const declared = ['zeroRetention', 'noTraining'] as const;

/** Why the target must not serve the call; `undefined` when it may. */
export function unmetRequirement(requires: Requires, facts: RequiredFacts): string | undefined {
  const { maxEstimatedUsd, regions } = requires;
  if (regions !== undefined) {
    const problem = regionProblem(regions, facts);
    if (problem !== undefined) return problem;
  }
  for (const name of declared) {
    if (requires[name] !== true || facts.compliance[name] === true) continue;
    return `it does not declare ${name} (requires.${name})`;
  }
  return maxEstimatedUsd === undefined ? undefined : costProblem(maxEstimatedUsd, facts);
}

/** Why the target is tried after the others: it is slower or worse than required. */
export function missedRequirement(requires: Requires, facts: RequiredFacts): string | undefined {
  for (const name of ['p95FirstTokenMs', 'p95TotalMs'] as const) {
    const most = requires[name];
    if (most === undefined) continue;
    const ms = facts[name];
    if (ms !== undefined && ms > most) {
      return `its ${name} is ${Math.round(ms)}, and requires.${name} is ${most}`;
    }
  }
  const { minQuality } = requires;
  const quality = minQuality === undefined ? undefined : facts.quality;
  if (minQuality === undefined || quality === undefined || quality >= minQuality) return undefined;
  return `its quality is ${Number(quality.toPrecision(3))}, and requires.minQuality is ${minQuality}`;
}

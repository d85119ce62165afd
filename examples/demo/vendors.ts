import { fakeRuntime, type SimulatedAnswer, type SimulatedProvider } from 'signalbox/testing';
import { isReal, simulators } from '../providers.ts';

export type Vendor = keyof typeof isReal;

/** Milliseconds to the first token (from, to) and between two chunks, similar to each vendor. */
const paces = {
  openai: { first: [60, 140], chunk: 13 },
  anthropic: { first: [90, 200], chunk: 15 },
  google: { first: [40, 110], chunk: 10 },
} as const satisfies Record<Vendor, { first: readonly [number, number]; chunk: number }>;

const texts = [
  'Three orders match. The latest, A-1043, left the warehouse on Tuesday and is due tomorrow. Two are late: one waits at customs, the other for its carrier.',
  'The customer asks for a refund of the second item. The parcel was opened; the policy allows it within thirty days, so the reply can promise the money by Friday.',
  'Revenue rose by four percent, mostly from renewals. Churn is flat. Two large deals slipped into the next quarter, and the new plan sells better than the old one did.',
  'Restart the sync from the settings page. If the badge stays red, the token has expired: sign in again, then press the button twice. Nothing that was saved is lost.',
] as const;

/** Answers of realistic length, cost and speed. Deterministic for a seed. */
function answers(vendor: Vendor, seed: number): () => SimulatedAnswer {
  const { random } = fakeRuntime({ seed });
  const between = (low: number, high: number) => Math.round(low + random() * (high - low));
  const { first, chunk } = paces[vendor];
  return () => ({
    text: texts[between(0, texts.length - 1)] ?? texts[0],
    usage: { inputTokens: between(400, 2_400), outputTokens: between(60, 320) },
    firstTokenDelayMs: between(first[0], first[1]),
    chunkDelayMs: chunk,
  });
}

/** Sets realistic answers on the simulated vendors. */
export function stageVendors(): void {
  simulators.openai.answer(answers('openai', 1));
  simulators.anthropic.answer(answers('anthropic', 2));
  simulators.google.answer(answers('google', 3));
}

/** The simulator of a vendor, for fault injection; `undefined` for a real vendor. */
export function simulatorOf(vendor: Vendor): SimulatedProvider | undefined {
  return isReal[vendor] ? undefined : simulators[vendor];
}

/** Names of the vendors that are called for real. */
export const realVendors: readonly string[] = Object.entries(isReal)
  .filter(([, real]) => real)
  .map(([vendor]) => vendor);

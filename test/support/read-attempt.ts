import type { AttemptParts } from '../../src/engine/attempt.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';

/** All parts of an attempt. */
export async function readAttempt(parts: AttemptParts): Promise<readonly ProviderPart[]> {
  const told: ProviderPart[] = [];
  for (let step = await parts.read(); step.done !== true; step = await parts.read()) {
    told.push(step.value);
  }
  return told;
}

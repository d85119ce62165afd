import type { AttemptParts } from '../../src/engine/attempt/attempt-stream.ts';
import { readOn } from '../../src/internal/reads.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';

/** All parts of an attempt. */
export async function readAttempt(parts: AttemptParts): Promise<readonly ProviderPart[]> {
  const told: ProviderPart[] = [];
  const next = () => readOn(() => parts.read());
  for (let step = await next(); step.done !== true; step = await next()) {
    told.push(step.value);
  }
  return told;
}

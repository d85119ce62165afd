import type { AttemptParts } from '../../src/engine/attempt/attempt-stream.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';

/** Reads all parts of an attempt. */
export async function readAttempt(attempt: AttemptParts): Promise<readonly ProviderPart[]> {
  const parts: ProviderPart[] = [];
  for (let batch = await attempt.next(); batch !== undefined; batch = await attempt.next()) {
    parts.push(...batch);
  }
  return parts;
}

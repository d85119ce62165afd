import type { ProviderPart } from '../../src/protocol/stream-part.ts';

/** The parts of an answer, one by one. */
export async function* partsIn(
  batches: AsyncIterable<readonly ProviderPart[]>,
): AsyncGenerator<ProviderPart, void> {
  for await (const batch of batches) yield* batch;
}

/** Puts each part into its own batch, as providers may. */
export async function* inBatches(
  parts: AsyncIterable<ProviderPart> | Iterable<ProviderPart>,
): AsyncGenerator<readonly ProviderPart[], void> {
  for await (const part of parts) yield [part];
}

/** Puts every second and third part into one batch. */
export async function* inUnevenBatches(
  parts: AsyncIterable<ProviderPart>,
): AsyncGenerator<readonly ProviderPart[], void> {
  let held: ProviderPart[] = [];
  let isSingle = true;
  for await (const part of parts) {
    held.push(part);
    if (isSingle || held.length === 2 || part.type === 'finish') {
      yield held;
      held = [];
      isSingle = !isSingle;
    }
  }
  if (held.length > 0) yield held;
}

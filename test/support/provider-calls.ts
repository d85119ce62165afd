import type { AttemptContext, Provider, Watch } from '../../src/protocol/provider.ts';
import type { ProviderRequest, Transfer } from '../../src/protocol/request.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';

/** A short request with overrides. */
export function requestOf(more: Partial<ProviderRequest> & { model: string }): ProviderRequest {
  return {
    provider: 'mine',
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
    ...more,
  };
}

export const silentWatch: Watch = {
  connected: () => undefined,
  bytes: () => undefined,
  limits: () => undefined,
};

export type CallOptions = {
  readonly transfer?: Transfer;
  readonly signal?: AbortSignal;
  readonly keepRaw?: boolean;
};

export function contextOf({ transfer, signal, keepRaw }: CallOptions = {}): AttemptContext {
  return {
    signal: signal ?? new AbortController().signal,
    transfer: transfer ?? 'stream',
    watch: silentWatch,
    keepRaw: keepRaw ?? false,
  };
}

/** Makes one call, and returns all of its parts. */
export async function callProvider(
  provider: Provider,
  request: ProviderRequest,
  options: CallOptions = {},
): Promise<readonly ProviderPart[]> {
  const parts: ProviderPart[] = [];
  for await (const batch of provider.prepare(request).send(contextOf(options))) {
    parts.push(...batch);
  }
  return parts;
}

/** The complete parts of an answer. */
export function contentOf(parts: readonly ProviderPart[]) {
  return parts.flatMap((part) => (part.type === 'part-end' ? [part.part] : []));
}

export function finishOf(parts: readonly ProviderPart[]) {
  const last = parts.at(-1);
  if (last?.type !== 'finish') throw new Error('the answer did not finish');
  return last;
}

import type { Provider } from '../../src/protocol/provider.ts';
import type { ProviderPart } from '../../src/protocol/stream-part.ts';

/** A provider of vectors and images only. */
export function vectorsAndImages() {
  const requests: unknown[] = [];
  const answering = (...parts: readonly ProviderPart[]) => ({
    warnings: [],
    async *send() {
      yield [...parts, { type: 'finish', finishReason: 'stop' } as const];
    },
  });
  const provider: Provider = {
    wire: 'mine',
    capabilities: () => new Set(),
    preload: async () => undefined,
    prepare() {
      throw new Error('answers no prompts');
    },
    prepareEmbedding({ values }) {
      requests.push(values);
      return answering({ type: 'vectors', vectors: values.map(() => [1]) });
    },
    prepareImage({ prompt }) {
      requests.push(prompt);
      const source = { data: new Uint8Array([1]), mediaType: 'image/png' };
      return answering({ type: 'part-end', part: { type: 'image', source } });
    },
  };
  return { provider, requests };
}

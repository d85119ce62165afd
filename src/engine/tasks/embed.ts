import type { ResolvedTier } from '../../config/resolve.ts';
import { SignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import type { EmbedOptions } from '../../protocol/other-tasks.ts';
import { minimumTokensOf } from '../../routing/eligible.ts';
import { otherKind, type Task } from '../core/task.ts';

function unusable(what: string): SignalboxError {
  return new SignalboxError('invalid_response', `unusable vectors: ${what}`);
}

/** The model without its vendor's prefix: a model has the same vectors at every provider. */
function modelName(model: string): string {
  return model.slice(model.lastIndexOf('/') + 1).toLowerCase();
}

/** The task of the vectors of one batch of values. */
export function embedTask(
  tier: ResolvedTier,
  values: readonly string[],
  options: EmbedOptions,
): Task {
  const { dimensions } = options;
  const longest = values.reduce((most, value) => Math.max(most, value.length), 0);
  return {
    request: { kind: 'embed', values },
    withRequest(request) {
      if (request.kind !== 'embed') throw otherKind('embed', request);
      return embedTask(tier, request.values, options);
    },
    messages: [{ role: 'user', content: values.map((text) => ({ type: 'text', text })) }],
    needs: { capabilities: new Set(['embeddings']), minimumTokens: minimumTokensOf(longest) },
    transferFor: () => 'unary',
    prepare(provider, { target, options }) {
      const extraBody = own(options.providerOptions ?? {}, target.provider);
      const prepared = provider.prepareEmbedding?.({
        provider: target.provider,
        model: target.model,
        values,
        ...(dimensions !== undefined && { dimensions }),
        ...(options.userId !== undefined && { userId: options.userId }),
        ...(extraBody !== undefined && { extraBody }),
      });
      if (prepared === undefined) throw new SignalboxError('unsupported', 'lacks embeddings');
      return prepared;
    },
    async check(completion) {
      const { vectors = [] } = completion;
      if (vectors.length !== values.length) {
        throw unusable(`${vectors.length} for ${values.length} values`);
      }
      const length = dimensions ?? vectors[0]?.length ?? 0;
      if (length === 0 || vectors.some((vector) => vector.length !== length)) {
        throw unusable(`not all of them have ${length} dimensions`);
      }
      // JSON has no infinity, but 1e999 is parsed as one, and base64 may hold any bits.
      if (!vectors.every((vector) => vector.every(Number.isFinite))) {
        throw unusable('not all of them are finite numbers');
      }
      return completion;
    },
    ...(tier.vectors === 'same-model' && {
      familyOf: ({ family, model }) => family ?? modelName(model),
    }),
  };
}

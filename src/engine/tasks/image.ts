import { SignalboxError } from '../../errors.ts';
import { own } from '../../internal/own.ts';
import type { Completion, Warning } from '../../protocol/completion.ts';
import type { ImageOptions, Images } from '../../protocol/other-tasks.ts';
import { minimumTokensOf } from '../../routing/plan.ts';
import { otherKind, type Task } from '../core/task.ts';

/** The answer of an image task as the caller gets it. */
export function toImages(answer: Completion): Images {
  const { content, text, callId, tier, target, provider, model, usage, cost, trail } = answer;
  const { warnings, tags } = answer;
  return {
    images: content.filter((part) => part.type === 'image'),
    text,
    callId,
    tier,
    target,
    provider,
    model,
    usage,
    cost,
    latency: { totalMs: answer.latency.totalMs },
    ...(answer.requestId !== undefined && { requestId: answer.requestId }),
    trail,
    warnings,
    tags,
  };
}

const partlyRefused: Warning = {
  code: 'compat',
  message: 'the vendor refused a part of the images',
};

/**
 * The task of images.
 * @throws SignalboxError `config` for a blank prompt
 */
export function imageTask(prompt: string, options: ImageOptions): Task {
  const { count, size } = options;
  if (typeof prompt !== 'string' || prompt.trim() === '') {
    throw new SignalboxError('config', 'prompt: must be a string that is not blank');
  }
  return {
    request: { kind: 'image', prompt },
    withRequest(request) {
      if (request.kind !== 'image') throw otherKind('image', request);
      return imageTask(request.prompt, options);
    },
    messages: [{ role: 'user', content: [{ type: 'text', text: prompt }] }],
    needs: {
      capabilities: new Set(['image-output']),
      minimumTokens: minimumTokensOf(prompt.length),
    },
    transferFor: () => 'unary',
    prepare(provider, { target, options }) {
      const extraBody = own(options.providerOptions ?? {}, target.provider);
      const prepared = provider.prepareImage?.({
        provider: target.provider,
        model: target.model,
        prompt: prompt.toWellFormed(),
        ...(count !== undefined && { count }),
        ...(size !== undefined && { size }),
        ...(options.userId !== undefined && { userId: options.userId }),
        ...(extraBody !== undefined && { extraBody }),
      });
      if (prepared === undefined) throw new SignalboxError('unsupported', 'lacks image-output');
      return prepared;
    },
    async check(completion) {
      const { finishReason, warnings } = completion;
      const isRefused = finishReason === 'content_filter' || finishReason === 'refusal';
      if (completion.content.some((part) => part.type === 'image')) {
        return isRefused ? { ...completion, warnings: [...warnings, partlyRefused] } : completion;
      }
      if (isRefused) throw new SignalboxError(finishReason, 'the image was refused');
      throw new SignalboxError('invalid_output', 'unusable output: no image in the answer');
    },
  };
}

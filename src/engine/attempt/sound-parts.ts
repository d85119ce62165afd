import type { SignalboxError } from '../../errors.ts';
import {
  believedWaitMs,
  requestIdIn,
  shallowJson,
  tokenCountOf,
} from '../../internal/vendor-data.ts';
import type { RateLimit } from '../../protocol/provider.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { Usage } from '../../protocol/usage.ts';

/**
 * Validates what a provider yields, because a provider may be the user's. Our adapters validate what they read already, so
 * nearly everything is passed on unchanged.
 */

/** Longer than the ids and names of all vendors. */
const maxNameLength = 256;

/** The longest explanation of why an answer ended. */
const maxTextLength = 2_000;

/** More limits than any vendor has. */
const maxLimits = 16;

type Opening = Extract<ProviderPart, { type: 'open' }>;
type Finish = Extract<ProviderPart, { type: 'finish' }>;
type WarningPart = Extract<ProviderPart, { type: 'warning' }>;

const doubtfulUsage: ProviderPart = {
  type: 'warning',
  warning: {
    code: 'usage-missing',
    message: 'the vendor reported token counts that cannot be right: they are left out',
  },
};

function isCount(value: unknown): boolean {
  return tokenCountOf(value) !== undefined;
}

function isPart(value: unknown, whole: number): boolean {
  return value === undefined || (tokenCountOf(value) ?? Number.POSITIVE_INFINITY) <= whole;
}

/** Whether no count exceeds the count that it is a part of. */
function areParts(usage: Usage): boolean {
  const { inputTokens, cachedInputTokens = 0, cacheWriteTokens = 0 } = usage;
  return (
    isPart(cachedInputTokens, inputTokens) &&
    isPart(cacheWriteTokens, inputTokens - cachedInputTokens) &&
    isPart(usage.reasoningTokens, usage.outputTokens)
  );
}

function areCounts(byTtl: Usage['cacheWriteTokensByTtl']): boolean {
  return byTtl === undefined || Object.values(byTtl).every(isCount);
}

function hasSoundCounts(usage: Usage): boolean {
  return isCount(usage.totalTokens) && areParts(usage) && areCounts(usage.cacheWriteTokensByTtl);
}

/** The counts without those that cannot be right. */
function estimatedUsage(usage: Usage): Usage {
  const { inputTokens, outputTokens, raw, cacheWriteTokensByTtl: byTtl } = usage;
  const cached = tokenCountOf(usage.cachedInputTokens);
  const written = tokenCountOf(usage.cacheWriteTokens);
  const reasoning = tokenCountOf(usage.reasoningTokens);
  return {
    inputTokens,
    outputTokens,
    totalTokens: tokenCountOf(usage.totalTokens) ?? inputTokens + outputTokens,
    ...(cached !== undefined && { cachedInputTokens: cached }),
    ...(written !== undefined && { cacheWriteTokens: written }),
    ...(byTtl !== undefined && areCounts(byTtl) && { cacheWriteTokensByTtl: byTtl }),
    ...(reasoning !== undefined && { reasoningTokens: reasoning }),
    estimated: true,
    raw,
  };
}

/**
 * Usage that can be counted and billed. If input or output cannot be right it counts as not reported; if another count
 * cannot be right, or contradicts these, it is marked as estimated.
 */
function soundUsage(usage: Usage): Usage | undefined {
  if (!isCount(usage.inputTokens) || !isCount(usage.outputTokens)) return undefined;
  const sound = hasSoundCounts(usage) ? usage : estimatedUsage(usage);
  return shallowJson(sound.raw) === sound.raw ? sound : { ...sound, raw: undefined };
}

function isName(value: unknown): boolean {
  return value === undefined || (typeof value === 'string' && value.length <= maxNameLength);
}

function nameIn(value: string | undefined): string | undefined {
  return isName(value) ? value : undefined;
}

function soundOpening(part: Opening): ProviderPart {
  const { id, servedModel, requestId } = part;
  const isSound = isName(id) && isName(servedModel) && requestIdIn(requestId) === requestId;
  if (isSound) return part;
  const [known, model] = [nameIn(id), nameIn(servedModel)];
  return { type: 'open', id: known, servedModel: model, requestId: requestIdIn(requestId) };
}

function soundFinish(part: Finish): Finish {
  const { id, servedModel, serviceTier, rawFinishReason, finishDetail, usage } = part;
  const sound = usage && soundUsage(usage);
  const isDetail = finishDetail === undefined || typeof finishDetail === 'string';
  const isShort = isDetail && (finishDetail ?? '').length <= maxTextLength;
  const names = [id, servedModel, serviceTier, rawFinishReason];
  if (sound === usage && isShort && names.every(isName)) return part;
  return {
    ...part,
    id: nameIn(id),
    servedModel: nameIn(servedModel),
    serviceTier: nameIn(serviceTier),
    rawFinishReason: nameIn(rawFinishReason),
    finishDetail: isDetail ? finishDetail?.slice(0, maxTextLength) : undefined,
    usage: sound,
  };
}

function soundWarning(part: WarningPart): WarningPart {
  const { param, message } = part.warning;
  if (isName(param) && message.length <= maxTextLength) return part;
  const { param: _, ...warning } = part.warning;
  const name = nameIn(param);
  return {
    type: 'warning',
    warning: {
      ...warning,
      ...(name !== undefined && { param: name }),
      message: message.slice(0, maxTextLength),
    },
  };
}

/** The part without implausible fields. */
export function soundPart(part: ProviderPart): ProviderPart {
  switch (part.type) {
    case 'open':
      return soundOpening(part);
    case 'usage': {
      const usage = soundUsage(part.usage);
      if (usage === part.usage) return part;
      return usage === undefined ? doubtfulUsage : { type: 'usage', usage };
    }
    case 'warning':
      return soundWarning(part);
    case 'finish':
      return soundFinish(part);
    default:
      return part;
  }
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** The plausible limits among those that a provider reports. */
export function soundLimits(limits: readonly RateLimit[]): readonly RateLimit[] {
  return limits.slice(0, maxLimits).flatMap((reported) => {
    const { name, unit, limit, remaining } = reported;
    const resetMs = believedWaitMs(reported.resetMs);
    const isKnown = (unit === 'requests' || unit === 'tokens') && name.length <= maxNameLength;
    if (!isKnown || !isAmount(remaining) || resetMs === undefined) return [];
    const isWhole = isAmount(limit) && limit > 0 && limit >= remaining;
    return [{ ...(isWhole && { limit }), name, unit, remaining, resetMs }];
  });
}

/** The error without an implausible status, wait or request id. */
export function soundError(error: SignalboxError): SignalboxError {
  const { status, retryAfterMs, requestId } = error;
  const isStatus = status !== undefined && Number.isInteger(status) && status > 99 && status < 1000;
  const sound = {
    status: isStatus ? status : undefined,
    retryAfterMs: believedWaitMs(retryAfterMs),
    requestId: requestIdIn(requestId),
  };
  const isSound =
    sound.status === status && sound.retryAfterMs === retryAfterMs && sound.requestId === requestId;
  if (isSound) return error;
  return error.with({ ...sound, message: error.message.slice(0, maxTextLength) });
}

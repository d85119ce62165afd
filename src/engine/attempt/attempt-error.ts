import type { ResolvedTarget } from '../../config/resolve.ts';
import type { SignalboxError } from '../../errors.ts';
import { sharesRun } from '../../internal/vendor-data.ts';
import type { NormalMessage, Part } from '../../protocol/message.ts';
import type { Provider } from '../../protocol/provider.ts';
import type { AttemptPlan } from '../core/attempt-plan.ts';
import { targetLabel } from '../core/engine.ts';
import type { AttemptStream } from './attempt-stream.ts';
import type { Timing } from './attempt-timeouts.ts';

/** Between the words of an identifier; a prompt has spaces there. */
const separators = /[-_.]+/g;

/** What a base64 text decodes to, after a prefix of any length. */
function decoded(text: string): readonly string[] {
  return [0, 1, 2, 3].map((at) => Buffer.from(text.slice(at), 'base64').toString());
}

function textsOf(part: Part): readonly string[] {
  if ('text' in part) return [part.text];
  if (part.type === 'tool-result') return [JSON.stringify(part.output)];
  if (part.type === 'tool-call') return [part.rawInput ?? JSON.stringify(part.input) ?? ''];
  return [];
}

/** Whether a short text of the vendor's repeats a part of the prompt. */
export function repeatsPrompt(
  text: string,
  messages: readonly NormalMessage[],
  system: string | undefined,
): boolean {
  const forms = [...new Set([text, text.replace(separators, ' '), ...decoded(text)])];
  const isIn = (source: string): boolean => forms.some((form) => sharesRun(form, source));
  if (system !== undefined && isIn(system)) return true;
  return messages.some(({ content }) => content.some((part) => textsOf(part).some(isIn)));
}

/** Where a key comes from that the vendor rejected. */
function rejectedKey(
  { code, status }: SignalboxError,
  provider: Provider,
  { key = 0 }: ResolvedTarget,
): string {
  if (code !== 'auth' || status === undefined) return '';
  try {
    const source = provider.keySource?.(key);
    return source === undefined ? '' : `; the key is from ${source}`;
  } catch {
    // The setting is gone, or this is a provider of the user's own.
    return '';
  }
}

/**
 * An attempt's failure as the caller and events get it: with the target, and with the request's id unless the vendor
 * repeats a part of the prompt there. Reads the whole prompt if there is an id.
 */
export function attemptError(
  raw: SignalboxError,
  answerId: string | undefined,
  { target, options, provider }: AttemptPlan,
  messages: readonly NormalMessage[],
): SignalboxError {
  const requestId = raw.requestId ?? answerId;
  const isEcho = requestId !== undefined && repeatsPrompt(requestId, messages, options.system);
  return raw.with({
    target: target.id,
    message: `${targetLabel(target)}: ${raw.message}${rejectedKey(raw, provider, target)}`,
    requestId: isEcho ? undefined : requestId,
  });
}

/** Whether the attempt was ended on our side: the vendor may have gone on. */
export function endedByUs({ code, phase }: SignalboxError): boolean {
  if (code === 'timeout') return phase === 'total' || phase === 'pace' || phase === 'throughput';
  return code === 'aborted' || code === 'closed' || code === 'budget_exceeded';
}

/** Whether the failure counts against the target: not a timeout that the call has shortened, nor a process that stood still. */
export function isTargetsFault(
  { code, phase }: SignalboxError,
  timing: Timing | undefined,
  stream: AttemptStream | undefined,
): boolean {
  if (code === 'timeout') return timing?.isShortened(phase) !== true;
  const isLost = code === 'connection' || code === 'stream_interrupted';
  return !(isLost && stream?.stoodStill === true);
}

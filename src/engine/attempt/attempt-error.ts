import type { ResolvedTarget } from '../../config/resolve.ts';
import type { SignalboxError } from '../../errors.ts';
import { sharesRun } from '../../internal/shares-run.ts';
import type { NormalMessage, Part } from '../../protocol/message.ts';
import type { Call } from '../core/engine.ts';
import { optionsFor } from '../core/engine.ts';
import { heldUnder } from '../core/keys.ts';

/** Between the words of an identifier, where the prompt has blanks. */
const separators = /[-_.]+/g;

/** What base64 may mean, behind a prefix of any length. */
function decoded(text: string): readonly string[] {
  return [0, 1, 2, 3].map((at) => Buffer.from(text.slice(at), 'base64').toString());
}

function textsOf(part: Part): readonly string[] {
  if ('text' in part) return [part.text];
  if (part.type === 'tool-result') return [JSON.stringify(part.output)];
  if (part.type === 'tool-call') return [part.rawInput ?? JSON.stringify(part.input) ?? ''];
  return [];
}

/** Whether `text`, a short one of the vendor's, repeats a part of what it was sent. */
function repeatsPrompt(
  text: string,
  messages: readonly NormalMessage[],
  system: string | undefined,
): boolean {
  const forms = [...new Set([text, text.replace(separators, ' '), ...decoded(text)])];
  const isIn = (source: string): boolean => forms.some((form) => sharesRun(form, source));
  if (system !== undefined && isIn(system)) return true;
  return messages.some(({ content }) => content.some((part) => textsOf(part).some(isIn)));
}

/** Whose attempt failed, and what it asked. */
type About = {
  readonly call: Call;
  readonly target: ResolvedTarget;
  readonly messages: readonly NormalMessage[];
};

/**
 * What an attempt failed with, as the caller and events get it: with the target, and with the request's id, unless the
 * vendor repeats a part of the prompt in its place. Reads all of the prompt where there is an id.
 */
export function attemptError(
  raw: SignalboxError,
  answerId: string | undefined,
  { call, target, messages }: About,
): SignalboxError {
  const requestId = raw.requestId ?? answerId;
  const { system } = optionsFor(call, target);
  const isEcho = requestId !== undefined && repeatsPrompt(requestId, messages, system);
  return raw.with({
    target: target.id,
    message: `${heldUnder(target).target}: ${raw.message}`,
    requestId: isEcho ? undefined : requestId,
  });
}

import type { NormalMessage, Opaque, Part, TextPart } from '../../protocol/message.ts';
import type { ProviderRequest } from '../../protocol/request.ts';

/** Leading system turns taken off the conversation, since three of the four wires keep them apart. */
export function hoistSystem(messages: readonly NormalMessage[]): {
  readonly system: readonly TextPart[];
  readonly rest: readonly NormalMessage[];
} {
  const first = messages.findIndex((message) => message.role !== 'system');
  const end = first < 0 ? messages.length : first;
  const system = messages
    .slice(0, end)
    .flatMap((message) => message.content)
    .filter((part) => part.type === 'text');
  return { system, rest: messages.slice(end) };
}

/** Whether the part says nothing: vendors answer 400 to blank text. */
function isBlank(part: Part): boolean {
  return part.type === 'text' && part.text.trim() === '';
}

/** The conversation without blank text and without turns that it leaves empty. */
export function withoutBlanks(messages: readonly NormalMessage[]): readonly NormalMessage[] {
  const isWhole = messages.every(({ content }) => content.length > 0 && !content.some(isBlank));
  if (isWhole) return messages;
  return messages
    .map((message) => ({
      ...message,
      content: message.content.filter((part) => !isBlank(part)),
    }))
    .filter((message) => message.content.length > 0);
}

/**
 * Joins neighbours that `side` puts on the same side (tool results usually belong to the user's), for wires
 * that want turns to alternate.
 */
export function mergeNeighbours(
  messages: readonly NormalMessage[],
  side: (message: NormalMessage) => NormalMessage['role'],
): readonly NormalMessage[] {
  const merged: { role: NormalMessage['role']; content: Part[] }[] = [];
  for (const message of messages) {
    const role = side(message);
    const last = merged.at(-1);
    if (last !== undefined && last.role === role) last.content.push(...message.content);
    else merged.push({ role, content: [...message.content] });
  }
  return merged;
}

/** Whether replay data may go to this request's target: only its issuer understands it. */
export function isOwn(opaque: Opaque, request: ProviderRequest, wire: string): boolean {
  return opaque.wire === wire && opaque.provider === request.provider;
}

/** The text of parts, joined. */
export function joinText(parts: readonly Part[]): string {
  return parts
    .filter((part) => part.type === 'text')
    .map((part) => part.text)
    .join('\n\n');
}

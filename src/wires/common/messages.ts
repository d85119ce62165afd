import type { NormalMessage, Opaque, Part, TextPart } from '../../protocol/message.ts';
import type { ProviderRequest } from '../../protocol/request.ts';

/** Splits off the leading system turns. Three of the four wires send them in a separate field. */
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

/** Vendors reject blank text with a 400. */
function isBlank(part: Part): boolean {
  return part.type === 'text' && part.text.trim() === '';
}

/** Removes blank text, and turns that are empty without it. */
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
 * Merges adjacent turns that have the same role, for wires that require alternating turns. `side` returns the role of a
 * message; tool results usually count as the user's.
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

/** Whether replay data may be sent to this request's target. Only the provider that issued it can read it. */
export function canReplay(opaque: Opaque, request: ProviderRequest, wire: string): boolean {
  return opaque.wire === wire && opaque.provider === request.provider;
}

export function joinText(parts: readonly Part[]): string {
  return parts
    .filter((part) => part.type === 'text')
    .map((part) => part.text)
    .join('\n\n');
}

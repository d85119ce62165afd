import { own } from '../internal/own.ts';
import type { CallOptions } from '../protocol/call-options.ts';
import type { NormalMessage, Part } from '../protocol/message.ts';
import type { Capability } from '../protocol/provider.ts';
import type { Candidate, Knowledge, Needs, RouteOptions } from './candidate.ts';

/**
 * No tokenizer uses more characters per token on natural text; the average is about four. So the estimate excludes only
 * requests that cannot fit. The vendor decides about the rest.
 */
const maxCharactersPerToken = 8;

const capabilityOfPart: Partial<Record<Part['type'], Capability>> = {
  image: 'vision',
  audio: 'audio',
  file: 'files',
};

/** The parts in the output of a tool. */
function nested(output: unknown): readonly Part[] {
  return Array.isArray(output) ? output.filter(isPart) : [];
}

function isPart(value: unknown): value is Part {
  return typeof value === 'object' && value !== null && 'type' in value;
}

function textLength(part: Part): number {
  return 'text' in part && typeof part.text === 'string' ? part.text.length : 0;
}

/** Lower bound of the tokens of that many characters. */
export function minimumTokensOf(characters: number): number {
  return Math.floor(characters / maxCharactersPerToken);
}

/** What the messages and options require of a target. */
export function needsOf(
  messages: readonly NormalMessage[],
  options: Pick<CallOptions, 'tools' | 'schema'>,
): Needs {
  const capabilities = new Set<Capability>();
  let characters = 0;
  const count = (part: Part): void => {
    const capability = own(capabilityOfPart, part.type);
    if (capability !== undefined) capabilities.add(capability);
    characters += textLength(part);
  };
  for (const { content } of messages) {
    for (const part of content) {
      count(part);
      if (part.type === 'tool-result') nested(part.output).forEach(count);
    }
  }
  if (options.tools !== undefined && options.tools.length > 0) capabilities.add('tools');
  if (options.schema !== undefined) capabilities.add('structured-output');
  return {
    capabilities,
    minimumTokens: minimumTokensOf(characters),
  };
}

/** Whether the list contains the candidate's target or provider. */
function isNamed(candidate: Candidate, list: ReadonlySet<string>): boolean {
  return list.has(candidate.id) || list.has(candidate.provider);
}

/** The lists of `route` as sets. */
export type RouteNames = {
  readonly only: ReadonlySet<string> | undefined;
  readonly ignore: ReadonlySet<string> | undefined;
};

const anyTarget: RouteNames = { only: undefined, ignore: undefined };

export function namesOf(route: RouteOptions | undefined): RouteNames {
  if (route === undefined) return anyTarget;
  return { only: route.only && new Set(route.only), ignore: route.ignore && new Set(route.ignore) };
}

/** Why the candidate can never take this call; `undefined` if it can. Does not check health. */
export function ineligible(
  candidate: Candidate,
  needs: Needs,
  { only, ignore }: RouteNames,
  knowledge: Knowledge,
): string | undefined {
  if (only !== undefined && !isNamed(candidate, only)) return 'not in route.only';
  if (ignore !== undefined && isNamed(candidate, ignore)) return 'in route.ignore';
  if (needs.capabilities.size > 0) {
    const has = knowledge.capabilities(candidate);
    for (const capability of needs.capabilities) {
      if (!has.has(capability)) return `lacks ${capability}`;
    }
  }
  const window = knowledge.contextWindow(candidate);
  if (window !== undefined && needs.minimumTokens > window) {
    return `context window of ${window} tokens is too small`;
  }
  return knowledge.excluded(candidate);
}

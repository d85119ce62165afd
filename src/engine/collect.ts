import type { PartialAnswer, Warning } from '../protocol/completion.ts';
import type { NormalMessage, Part } from '../protocol/message.ts';
import type { ProviderPart, StreamPart } from '../protocol/stream-part.ts';
import type { Usage } from '../protocol/usage.ts';

/** About four characters make a token; used only where the vendor reports nothing, and marked as estimated. */
export const charactersPerToken = 4;

type Finish = Extract<ProviderPart, { type: 'finish' }>;

/** What has arrived of one attempt's answer so far. */
export interface Collected {
  add(part: ProviderPart): void;
  readonly content: readonly Part[];
  readonly vectors: readonly (readonly number[])[];
  readonly warnings: readonly Warning[];
  readonly finish: Finish | undefined;
  readonly id: string | undefined;
  readonly servedModel: string | undefined;
  readonly requestId: string | undefined;
  /** Whether any of the answer itself has come. */
  readonly begun: boolean;
  /** Whether all that has come is text, and reasoning before it. */
  readonly isText: boolean;
  /** What the vendor reported, at the end or on the way. */
  usage(): Usage | undefined;
  partial(target: string): PartialAnswer;
}

function lengthOf(parts: readonly Part[]): number {
  return parts.reduce(
    (sum, part) =>
      sum +
      ('text' in part ? part.text.length : 0) +
      (part.type === 'tool-result' ? JSON.stringify(part.output).length : 0) +
      (part.type === 'tool-call' ? (part.rawInput ?? JSON.stringify(part.input) ?? '').length : 0),
    0,
  );
}

/** Tokens by the rule of thumb, for a vendor that reported none. */
export function estimateUsage(messages: readonly NormalMessage[], answer: readonly Part[]): Usage {
  const characters = messages.reduce((sum, { content }) => sum + lengthOf(content), 0);
  const inputTokens = Math.ceil(characters / charactersPerToken);
  const outputTokens = Math.ceil(lengthOf(answer) / charactersPerToken);
  return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens, estimated: true };
}

/** Gathers the parts of one attempt; `before` is what an earlier one had said, for an attempt that goes on from it. */
export function createCollected(before?: {
  readonly content: readonly Part[];
  readonly text: string;
}): Collected {
  const content: Part[] = [...(before?.content ?? [])];
  const warnings: Warning[] = [];
  /** Text of the part under way, which only a broken answer leaves unfinished. */
  let openText = before?.text ?? '';
  let isText = true;
  let early: Usage | undefined;
  let finish: Finish | undefined;
  let opened: Extract<ProviderPart, { type: 'open' }> | undefined;
  let vectors: readonly (readonly number[])[] = [];
  let begun = false;

  const all = (): readonly Part[] =>
    openText === '' ? content : [...content, { type: 'text', text: openText }];
  const lengthBefore = lengthOf(all());

  return {
    add(part) {
      switch (part.type) {
        case 'open':
          opened = part;
          break;
        case 'usage':
          early = part.usage;
          break;
        case 'warning':
          warnings.push(part.warning);
          break;
        case 'text-delta':
          openText += part.delta;
          begun = true;
          break;
        case 'part-end':
          isText &&= part.part.type === 'text' || part.part.type === 'reasoning';
          if (part.part.type === 'text' || part.part.type === 'refusal') openText = '';
          content.push(part.part);
          begun = true;
          break;
        case 'tool-call-start':
          isText = false;
          begun = true;
          break;
        case 'vectors':
          vectors = part.vectors;
          begun = true;
          break;
        case 'finish':
          finish = part;
          break;
        default:
          begun = true;
      }
    },
    get content() {
      return content;
    },
    get vectors() {
      return vectors;
    },
    get warnings() {
      return warnings;
    },
    get finish() {
      return finish;
    },
    get id() {
      return finish?.id ?? opened?.id;
    },
    get servedModel() {
      return finish?.servedModel ?? opened?.servedModel;
    },
    get requestId() {
      return opened?.requestId;
    },
    get begun() {
      return begun;
    },
    get isText() {
      return isText;
    },
    usage() {
      if (finish?.usage !== undefined || early === undefined) return finish?.usage;
      // The vendor told the input and was cut off: what we saw of the output is the best there is.
      const seen = Math.ceil((lengthOf(all()) - lengthBefore) / charactersPerToken);
      const outputTokens = Math.max(early.outputTokens, seen);
      return {
        ...early,
        outputTokens,
        totalTokens: early.inputTokens + outputTokens,
        estimated: true,
      };
    },
    partial(target) {
      const usage = this.usage();
      return { target, content: all(), text: textOf(all()), ...(usage !== undefined && { usage }) };
    },
  };
}

/** The text of an answer: its text parts and refusals, in order. */
export function textOf(content: readonly Part[]): string {
  return content
    .map((part) => (part.type === 'text' || part.type === 'refusal' ? part.text : ''))
    .join('');
}

/** What a reader of the stream sees of a provider's part; `undefined` for what is ours to keep. */
export function toStreamPart(part: ProviderPart): StreamPart | undefined {
  if (
    part.type === 'open' ||
    part.type === 'usage' ||
    part.type === 'warning' ||
    part.type === 'vectors' ||
    part.type === 'finish'
  ) {
    return undefined;
  }
  return part;
}

import { defaults } from '../../config/defaults.ts';
import { memoryOf } from '../../internal/memory-of.ts';
import type { PartialAnswer, Warning } from '../../protocol/completion.ts';
import type { NormalMessage, Part } from '../../protocol/message.ts';
import type { ProviderPart, StreamPart } from '../../protocol/stream-part.ts';
import type { Usage } from '../../protocol/usage.ts';
import { usageForEvents } from '../../telemetry/event-usage.ts';
import { AnswerMeter, maxWarnings } from './answer-meter.ts';

/** About four characters make a token; used only where the vendor reports nothing, and marked as estimated. */
export const charactersPerToken = 4;

type Finish = Extract<ProviderPart, { type: 'finish' }>;

/** What has arrived of one attempt's answer so far. */
export interface Collected {
  /** @throws SignalboxError `invalid_response` when the answer has become too large */
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

/** How long a value is as JSON. What is nested too deeply for that is estimated: a count must not fail a call. */
function jsonLengthOf(value: unknown): number {
  try {
    return JSON.stringify(value)?.length ?? 0;
  } catch {
    return memoryOf(value, defaults.maxAnswerBytes);
  }
}

function lengthOf(parts: readonly Part[]): number {
  return parts.reduce(
    (sum, part) =>
      sum +
      ('text' in part ? part.text.length : 0) +
      (part.type === 'tool-result' ? jsonLengthOf(part.output) : 0) +
      (part.type === 'tool-call' ? (part.rawInput?.length ?? jsonLengthOf(part.input)) : 0),
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

type Before = { readonly content: readonly Part[]; readonly text: string };

/** A class, since an object with getters of its own has a hidden class of its own too, which outlives the call. */
class CollectedParts implements Collected {
  readonly content: Part[];
  readonly warnings: Warning[] = [];
  vectors: readonly (readonly number[])[] = [];
  finish: Finish | undefined;
  begun = false;
  isText = true;
  /** Text of the part under way, which only a broken answer leaves unfinished. */
  #openText: string;
  readonly #lengthBefore: number;
  readonly #meter: AnswerMeter;
  #early: Usage | undefined;
  #opened: Extract<ProviderPart, { type: 'open' }> | undefined;

  constructor(before: Before | undefined, maxBytes: number) {
    this.#meter = new AnswerMeter(maxBytes);
    this.content = [...(before?.content ?? [])];
    this.#openText = before?.text ?? '';
    this.#lengthBefore = lengthOf(this.#all());
  }

  get id(): string | undefined {
    return this.finish?.id ?? this.#opened?.id;
  }

  get servedModel(): string | undefined {
    return this.finish?.servedModel ?? this.#opened?.servedModel;
  }

  get requestId(): string | undefined {
    return this.#opened?.requestId;
  }

  add(part: ProviderPart): void {
    this.#meter.add(part);
    switch (part.type) {
      case 'open':
        this.#opened = part;
        break;
      case 'usage':
        this.#early = part.usage;
        break;
      case 'warning':
        this.#warn(part.warning);
        break;
      case 'text-delta':
        this.#openText += part.delta;
        this.begun = true;
        break;
      case 'part-end':
        this.isText &&= part.part.type === 'text' || part.part.type === 'reasoning';
        if (part.part.type === 'text' || part.part.type === 'refusal') this.#openText = '';
        this.content.push(part.part);
        this.begun = true;
        break;
      case 'tool-call-start':
        this.isText = false;
        this.begun = true;
        break;
      case 'vectors':
        this.vectors = part.vectors;
        this.begun = true;
        break;
      case 'finish':
        this.finish = part;
        break;
      default:
        this.begun = true;
    }
  }

  usage(): Usage | undefined {
    const early = this.#early;
    if (this.finish?.usage !== undefined || early === undefined) return this.finish?.usage;
    // The vendor told the input and was cut off: what we saw of the output is the best there is.
    const seen = Math.ceil((lengthOf(this.#all()) - this.#lengthBefore) / charactersPerToken);
    const outputTokens = Math.max(early.outputTokens, seen);
    return {
      ...early,
      outputTokens,
      totalTokens: early.inputTokens + outputTokens,
      estimated: true,
    };
  }

  partial(target: string): PartialAnswer {
    const usage = this.usage();
    const content = this.#all();
    const told = usage === undefined ? {} : { usage: usageForEvents(usage) };
    return { target, content, text: textOf(content), ...told };
  }

  #warn(warning: Warning): void {
    const { length } = this.warnings;
    if (length < maxWarnings) this.warnings.push(warning);
    else if (length === maxWarnings) {
      const message = `more than ${maxWarnings} warnings: the rest is left out`;
      this.warnings.push({ code: 'compat', message });
    }
  }

  #all(): readonly Part[] {
    if (this.#openText === '') return this.content;
    return [...this.content, { type: 'text', text: this.#openText }];
  }
}

/**
 * Gathers the parts of one attempt; `before` is what an earlier one had said, for an attempt that goes on from it.
 * `maxBytes` bounds what they add up to.
 */
export function createCollected(
  before?: Before,
  maxBytes: number = defaults.maxAnswerBytes,
): Collected {
  return new CollectedParts(before, maxBytes);
}

/** The text of an answer: its text parts and refusals, in order. */
export function textOf(content: readonly Part[]): string {
  return content
    .map((part) => (part.type === 'text' || part.type === 'refusal' ? part.text : ''))
    .join('');
}

function isShown(part: ProviderPart): part is ProviderPart & StreamPart {
  switch (part.type) {
    case 'open':
    case 'usage':
    case 'warning':
    case 'vectors':
    case 'finish':
      return false;
    default:
      return true;
  }
}

/** What a reader of the stream sees of a provider's parts; the others are the engine's. */
export function shownParts(parts: readonly ProviderPart[]): readonly StreamPart[] {
  return parts.filter(isShown);
}

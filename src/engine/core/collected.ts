import { defaults } from '../../config/defaults.ts';
import { memoryOf } from '../../internal/vendor-data.ts';
import type { PartialAnswer, Warning } from '../../protocol/completion.ts';
import type { Part } from '../../protocol/message.ts';
import type { ProviderPart, StreamPart } from '../../protocol/stream-part.ts';
import type { Usage } from '../../protocol/usage.ts';
import { usageForEvents } from '../../telemetry/emitter.ts';
import {
  answerTooLarge,
  checkCount,
  maxAnswerParts,
  memoryBoundOf,
} from '../../transport/answer-bound.ts';
import { charactersPerToken, estimateTokens } from './token-estimate.ts';

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
  /** Whether any of the answer has arrived. */
  readonly hasStarted: boolean;
  /** Whether all that has arrived is text, with reasoning before it. */
  readonly isText: boolean;
  /** What the vendor reported, at the end or before. */
  usage(): Usage | undefined;
  /** Estimated, for a vendor that reported none; the answer that it continues is not counted. */
  estimate(inputTokens: number): Usage;
  partial(target: string): PartialAnswer;
}

type Before = { readonly content: readonly Part[]; readonly text: string };

class CollectedParts implements Collected {
  readonly content: Part[];
  readonly warnings: Warning[] = [];
  vectors: readonly (readonly number[])[] = [];
  finish: Finish | undefined;
  hasStarted = false;
  isText = true;
  /** The text of the current part, which only an interrupted answer leaves unfinished. */
  #openText: string;
  /** Characters of other unfinished parts. */
  #openCharacters = 0;
  readonly #before: readonly Part[];
  readonly #meter: AnswerMeter;
  #early: Usage | undefined;
  #opened: Extract<ProviderPart, { type: 'open' }> | undefined;

  constructor(before: Before | undefined, maxBytes: number) {
    this.#meter = new AnswerMeter(maxBytes);
    this.content = [...(before?.content ?? [])];
    this.#openText = before?.text ?? '';
    this.#before = this.#all().slice();
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
        this.hasStarted = true;
        break;
      case 'part-end':
        this.isText &&= part.part.type === 'text' || part.part.type === 'reasoning';
        if (part.part.type === 'text' || part.part.type === 'refusal') this.#openText = '';
        else this.#openCharacters = 0;
        this.content.push(part.part);
        this.hasStarted = true;
        break;
      case 'tool-call-start':
        this.isText = false;
        this.hasStarted = true;
        break;
      case 'reasoning-delta':
      case 'tool-call-delta':
        this.#openCharacters += part.delta.length;
        this.hasStarted = true;
        break;
      case 'vectors':
        this.vectors = part.vectors;
        this.hasStarted = true;
        break;
      case 'finish':
        this.finish = part;
        break;
      default:
        this.hasStarted = true;
    }
  }

  usage(): Usage | undefined {
    const early = this.#early;
    if (this.finish?.usage !== undefined || early === undefined) return this.finish?.usage;
    // The vendor reported its input and was cut off: the output is what we saw.
    const outputTokens = Math.max(early.outputTokens, this.#seenTokens());
    return {
      ...early,
      outputTokens,
      totalTokens: early.inputTokens + outputTokens,
      estimated: true,
    };
  }

  estimate(inputTokens: number): Usage {
    const outputTokens = this.#seenTokens();
    return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens, estimated: true };
  }

  partial(target: string): PartialAnswer {
    const usage = this.usage();
    const content = this.#all();
    const reported = usage === undefined ? {} : { usage: usageForEvents(usage) };
    return { target, content, text: textOf(content), ...reported };
  }

  #warn(warning: Warning): void {
    const { length } = this.warnings;
    if (length < maxWarnings) this.warnings.push(warning);
    else if (length === maxWarnings) {
      const message = `more than ${maxWarnings} warnings: the rest is left out`;
      this.warnings.push({ code: 'compat', message });
    }
  }

  #seenTokens(): number {
    const whole = estimateTokens(this.#all()) - estimateTokens(this.#before);
    return whole + Math.ceil(this.#openCharacters / charactersPerToken);
  }

  #all(): readonly Part[] {
    if (this.#openText === '') return this.content;
    return [...this.content, { type: 'text', text: this.#openText }];
  }
}

/**
 * Collects the parts of one attempt; `before` is the interrupted answer that the attempt continues. `maxBytes` bounds their
 * total.
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

/** The parts that the reader of a stream sees; the others are for the engine. */
export function shownParts(parts: readonly ProviderPart[]): readonly StreamPart[] {
  return parts.filter(isShown);
}

/** Maximum number of warnings of one answer. */
const maxWarnings = 100;

/**
 * Measures the total of an attempt's parts, because the answer of a user's provider may be endless too. The transport bounds
 * the bytes of a vendor's answer by the same setting.
 */
class AnswerMeter {
  readonly #maxBytes: number;
  readonly #maxMemory: number;
  #text = 0;
  #memory = 0;
  #parts = 0;
  #wholeParts = 0;
  /** Characters of deltas whose whole part, which repeats them, is still to come. */
  #unclaimed = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#maxMemory = memoryBoundOf(maxBytes);
  }

  /** @throws SignalboxError `invalid_response` when the answer has become too large */
  add(part: ProviderPart): void {
    checkCount(++this.#parts, 'parts', maxAnswerParts);
    switch (part.type) {
      case 'text-delta':
      case 'reasoning-delta':
      case 'tool-call-delta':
        this.#unclaimed += part.delta.length;
        this.#text += part.delta.length;
        break;
      case 'part-end':
        checkCount(++this.#wholeParts, 'whole parts');
        this.#addWhole(part.part);
        break;
      default:
    }
    if (this.#text > this.#maxBytes || this.#memory > this.#maxMemory) {
      throw answerTooLarge(this.#maxBytes);
    }
  }

  #addWhole(part: Part): void {
    const isPlain = part.type === 'text' && part.citations === undefined;
    if (isPlain) this.#text += this.#unclaimedOf(part.text.length);
    else this.#memory += this.#unclaimedOf(memoryOf(part, this.#maxMemory));
  }

  /** What is left of a size after the deltas that came before. */
  #unclaimedOf(size: number): number {
    const claimed = Math.min(size, this.#unclaimed);
    this.#unclaimed -= claimed;
    return size - claimed;
  }
}

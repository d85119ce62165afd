import type { Json, JsonObject } from '../../protocol/json.ts';
import type { Frame } from '../common/write.ts';

/** An event that has no number yet. */
export type Draft = Frame & { readonly data: Record<string, unknown> };

export type ResponseAnswer = {
  /** `body` makes no events. */
  readonly form: 'frames' | 'body';
  readonly model: string;
  /** Events before the first one. @default 0 */
  readonly sent?: number;
  /** The phase of its messages. The router does not know it. */
  readonly phase?: string;
  /** The encrypted content of a reasoning item that has not ended, which must not be sent back. */
  readonly unfinishedContent?: string;
};

type ItemStatus = 'completed' | 'incomplete';

/** An output item. Its events are kept until the items before it have ended. */
export abstract class OutputItem {
  protected readonly outputIndex: number;
  protected readonly answer: ResponseAnswer;
  /** The finished item, once it has ended. */
  done: JsonObject | undefined;
  #drafts: Draft[] = [];

  constructor(outputIndex: number, answer: ResponseAnswer) {
    this.outputIndex = outputIndex;
    this.answer = answer;
  }

  /** Ends the item, if it has not ended. */
  end(status: ItemStatus): void {
    if (this.done !== undefined) return;
    this.done = this.finished(status);
    this.add('response.output_item.done', { output_index: this.outputIndex, item: this.done });
  }

  /** The events that have not been taken. */
  take(): readonly Draft[] {
    const drafts = this.#drafts;
    this.#drafts = [];
    return drafts;
  }

  protected open(item: JsonObject): void {
    this.add('response.output_item.added', { output_index: this.outputIndex, item });
  }

  protected add(type: string, fields: JsonObject): void {
    if (this.answer.form === 'body') return;
    this.#drafts.push({ event: type, data: { type, ...fields }, role: 'content' });
  }

  /** Adds the events before the last one and returns the finished item. */
  protected abstract finished(status: ItemStatus): JsonObject;
}

export class ReasoningItem extends OutputItem {
  /** What the client sends back with the text. */
  opaque: string | undefined;
  readonly #id: string;
  #text = '';

  constructor(outputIndex: number, id: string, answer: ResponseAnswer) {
    super(outputIndex, answer);
    this.#id = id;
    this.open(this.#item([], answer.unfinishedContent));
  }

  append(delta: string): void {
    if (delta === '') return;
    if (this.#text === '') this.#add('part.added', { part: summaryText('') });
    this.#text += delta;
    this.#add('text.delta', { delta });
  }

  protected finished(): JsonObject {
    const text = this.#text;
    if (text === '') return this.#item([], this.opaque);
    this.#add('text.done', { text });
    this.#add('part.done', { part: summaryText(text) });
    return this.#item([summaryText(text)], this.opaque);
  }

  #add(name: string, fields: JsonObject): void {
    const location = { item_id: this.#id, output_index: this.outputIndex, summary_index: 0 };
    this.add(`response.reasoning_summary_${name}`, { ...location, ...fields });
  }

  #item(summary: readonly JsonObject[], encrypted: string | undefined): JsonObject {
    const encrypted_content = encrypted ?? null;
    return { id: this.#id, type: 'reasoning', content: [], encrypted_content, summary };
  }
}

function summaryText(text: string): JsonObject {
  return { type: 'summary_text', text };
}

type TextType = 'text' | 'refusal';

/** How the two types of text in a message are written. */
const textForms = {
  text: {
    event: 'response.output_text',
    extra: { logprobs: [] },
    part: (text: string) => ({ type: 'output_text', annotations: [], logprobs: [], text }),
  },
  refusal: {
    event: 'response.refusal',
    extra: {},
    part: (refusal: string) => ({ type: 'refusal', refusal }),
  },
} as const;

export class MessageItem extends OutputItem {
  readonly #id: string;
  readonly #content: JsonObject[] = [];
  #current: { readonly type: TextType; text: string } | undefined;

  constructor(outputIndex: number, id: string, answer: ResponseAnswer) {
    super(outputIndex, answer);
    this.#id = id;
    this.open(this.#item('in_progress'));
  }

  append(type: TextType, delta: string): void {
    if (this.#current?.type !== type) this.#endPart();
    const { event, extra, part } = textForms[type];
    if (this.#current === undefined) {
      this.#current = { type, text: '' };
      this.#add('response.content_part.added', { part: part('') });
    }
    if (delta === '') return;
    this.#current.text += delta;
    this.#add(`${event}.delta`, { delta, ...extra });
  }

  protected finished(status: ItemStatus): JsonObject {
    this.#endPart();
    return this.#item(status);
  }

  #endPart(): void {
    if (this.#current === undefined) return;
    const { type, text } = this.#current;
    const { event, extra, part } = textForms[type];
    this.#add(`${event}.done`, { [type]: text, ...extra });
    this.#add('response.content_part.done', { part: part(text) });
    this.#content.push(part(text));
    this.#current = undefined;
  }

  #add(type: string, fields: JsonObject): void {
    const content_index = this.#content.length;
    this.add(type, {
      content_index,
      item_id: this.#id,
      output_index: this.outputIndex,
      ...fields,
    });
  }

  #item(status: string): JsonObject {
    return {
      id: this.#id,
      type: 'message',
      status,
      content: [...this.#content],
      ...(this.answer.phase !== undefined && { phase: this.answer.phase }),
      role: 'assistant',
    };
  }
}

export class CallItem extends OutputItem {
  readonly callId: string;
  readonly #id: string;
  readonly #name: string;
  #arguments: string | undefined;

  constructor(
    outputIndex: number,
    id: string,
    callId: string,
    name: string,
    answer: ResponseAnswer,
  ) {
    super(outputIndex, answer);
    this.#id = id;
    this.callId = callId;
    this.#name = name;
    this.open(this.#item('in_progress', ''));
  }

  append(delta: string): void {
    this.#arguments = (this.#arguments ?? '') + delta;
    if (delta !== '') this.#add('delta', { delta });
  }

  /** `input` is written if nothing was appended. */
  endWith(input: Json): void {
    if (this.#arguments === undefined) this.append(JSON.stringify(input));
    this.end('completed');
  }

  protected finished(status: ItemStatus): JsonObject {
    const text = this.#arguments ?? '';
    this.#add('done', { arguments: text });
    return this.#item(status, text);
  }

  #add(name: string, fields: JsonObject): void {
    this.add(`response.function_call_arguments.${name}`, {
      item_id: this.#id,
      output_index: this.outputIndex,
      ...fields,
    });
  }

  #item(status: string, text: string): JsonObject {
    return {
      id: this.#id,
      type: 'function_call',
      status,
      arguments: text,
      call_id: this.callId,
      name: this.#name,
    };
  }
}

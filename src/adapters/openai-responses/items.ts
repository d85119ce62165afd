import type { JsonObject } from '../../protocol/json.ts';
import { openAICitation } from '../common/citations.ts';
import { createPartAssembler, type Tell } from '../common/part-assembler.ts';
import { isObject, listOf, objectOf, textOf } from '../common/read.ts';
import { encryptedReasoning, messagePhase } from './opaque.ts';

/** Who made the answer, for the replay data in it. */
export type Issuer = { readonly provider: string; readonly model: string };

/** Reads the output items of one response, piece by piece or whole. */
export interface ItemReader {
  /** One event about an item; other events say nothing to it. */
  event(type: unknown, event: JsonObject): void;
  /** The items of a final response: tells what the events did not. */
  final(items: readonly unknown[]): void;
  close(): void;
  seen(): { readonly toolCalls: number; readonly refusal: string };
}

/** The tool calls that are the caller's to answer, with where their input is. */
const inputKeyByType: Readonly<Record<string, 'arguments' | 'input'>> = {
  function_call: 'arguments',
  custom_tool_call: 'input',
};

const textTypeByContent: Readonly<Record<string, 'text' | 'refusal'>> = {
  output_text: 'text',
  refusal: 'refusal',
};

/** Events with a piece of text, and what the text is. */
const textTypeByEvent: Readonly<Record<string, 'text' | 'refusal'>> = {
  'response.output_text.delta': 'text',
  'response.refusal.delta': 'refusal',
};

/** Events with a piece of reasoning, and where they number the paragraph that it belongs to. */
const paragraphKeyByEvent: Readonly<Record<string, 'summary_index' | 'content_index'>> = {
  'response.reasoning_summary_text.delta': 'summary_index',
  'response.reasoning_text.delta': 'content_index',
};

/** Above every index that a vendor counts with: items that no event told of. */
const unheardIndex = 1_000_000;

export function createItemReader(issuer: Issuer, tell: Tell): ItemReader {
  const assembler = createPartAssembler(tell);
  /** Items that are closed: the final response repeats them. */
  const done = new Set<number>();
  /** How to find items again: final responses leave some out, and some servers change ids on the way. */
  const indexById = new Map<string, number>();
  const typeByIndex = new Map<number, unknown>();
  /** Places that have had text of their own. */
  const told = new Set<string>();
  /** Places whose sources events have told. */
  const cited = new Set<string>();
  const paragraphs = new Map<number, unknown>();
  let toolCalls = 0;
  let refusal = '';

  function text(place: string, type: 'text' | 'refusal', delta: string): void {
    if (delta === '') return;
    told.add(place);
    if (type === 'refusal') refusal += delta;
    assembler.text(place, type, delta);
  }

  function cite(place: string, annotation: unknown): void {
    const citation = openAICitation(annotation);
    if (citation === undefined) return;
    cited.add(place);
    assembler.cite(place, () => citation);
  }

  function reasoning(index: number, paragraph: unknown, delta: string): void {
    if (delta === '') return;
    const place = String(index);
    const isNext = paragraphs.has(index) && paragraphs.get(index) !== paragraph;
    paragraphs.set(index, paragraph);
    told.add(place);
    assembler.text(place, 'reasoning', isNext ? `\n\n${delta}` : delta);
  }

  function openCall(index: number, item: JsonObject): void {
    const place = String(index);
    const name = textOf(item.name);
    if (name === undefined || assembler.has(place)) return;
    toolCalls++;
    assembler.toolCall(place, textOf(item.call_id) ?? `call_${toolCalls}`, name);
  }

  function input(index: number, delta: string): void {
    if (delta === '') return;
    told.add(String(index));
    assembler.toolInput(String(index), delta);
  }

  function call(index: number, item: JsonObject, key: string): void {
    openCall(index, item);
    if (told.has(String(index))) return;
    const value = item[key];
    // A custom tool's input is free text: as JSON it is a string.
    if (key === 'input') input(index, JSON.stringify(value ?? ''));
    else input(index, typeof value === 'string' ? value : JSON.stringify(value ?? {}));
  }

  function message(index: number, item: JsonObject): void {
    const phase = messagePhase(item, issuer);
    for (const [at, content] of listOf(item.content).entries()) {
      const place = `${index}.${at}`;
      const { type, text: words, refusal: refused, annotations } = objectOf(content);
      const textType = textTypeByContent[String(type)];
      if (textType === undefined) continue;
      if (!told.has(place)) {
        text(place, textType, textOf(textType === 'text' ? words : refused) ?? '');
      }
      if (!cited.has(place)) for (const each of listOf(annotations)) cite(place, each);
      if (phase !== undefined) assembler.opaque(place, phase);
      assembler.close(place);
    }
  }

  function thought(index: number, item: JsonObject): void {
    const place = String(index);
    if (!told.has(place)) {
      const summary = listOf(item.summary);
      for (const [at, each] of (summary.length > 0 ? summary : listOf(item.content)).entries()) {
        reasoning(index, at, textOf(objectOf(each).text) ?? '');
      }
    }
    const opaque = encryptedReasoning(item, issuer);
    if (opaque === undefined) return;
    // Reasoning that is not shown must be kept all the same.
    assembler.text(place, 'reasoning', '');
    assembler.opaque(place, opaque);
  }

  function whole(index: number, item: unknown): void {
    if (!isObject(item) || done.has(index)) return;
    done.add(index);
    const key = inputKeyByType[String(item.type)];
    if (key !== undefined) call(index, item, key);
    else if (item.type === 'message') message(index, item);
    else if (item.type === 'reasoning') thought(index, item);
    assembler.close(String(index));
  }

  function hear(index: number, event: JsonObject): void {
    const item = objectOf(event.item);
    const id = textOf(event.item_id) ?? textOf(item.id);
    if (id !== undefined) indexById.set(id, index);
    if (item.type !== undefined) typeByIndex.set(index, item.type);
  }

  /** Which item of the events an item of the final response is: by its id, else by its place and type. */
  function indexOf(position: number, item: JsonObject): number {
    const own = indexById.get(textOf(item.id) ?? '');
    if (own !== undefined) return own;
    const heard = typeByIndex.get(position);
    return heard === undefined || heard === item.type ? position : unheardIndex + position;
  }

  function final(items: readonly unknown[]): void {
    for (const [position, item] of items.entries()) {
      whole(indexOf(position, objectOf(item)), item);
    }
  }

  return {
    event(type, event) {
      const kind = String(type);
      const index = Number(event.output_index ?? 0);
      hear(index, event);
      const delta = textOf(event.delta) ?? '';
      const textType = textTypeByEvent[kind];
      const paragraphKey = paragraphKeyByEvent[kind];
      if (textType !== undefined) {
        text(`${index}.${Number(event.content_index ?? 0)}`, textType, delta);
      } else if (paragraphKey !== undefined) {
        reasoning(index, event[paragraphKey], delta);
      } else if (kind === 'response.output_text.annotation.added') {
        cite(`${index}.${Number(event.content_index ?? 0)}`, event.annotation);
      } else if (kind === 'response.function_call_arguments.delta') {
        input(index, delta);
      } else if (kind === 'response.output_item.added') {
        const item = objectOf(event.item);
        if (item.type === 'function_call') openCall(index, item);
      } else if (kind === 'response.output_item.done') {
        whole(index, event.item);
      }
    },
    final,
    close: () => assembler.closeAll(),
    seen: () => ({ toolCalls, refusal }),
  };
}

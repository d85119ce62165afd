import { shallowJson } from '../../internal/shallow-json.ts';
import type { Json } from '../../protocol/json.ts';
import type { Citation, Opaque, Part } from '../../protocol/message.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { checkCount } from '../../transport/answer-bound.ts';

/** Resolves a citation when the whole text is known. Vendors give byte offsets, or only quote the supported text. */
export type ResolveCitation = (text: string) => Citation | undefined;

/** Receives the parts of an answer one by one, in order. */
export type AddPart = (part: ProviderPart) => void;

type Building =
  | {
      readonly type: 'text' | 'reasoning' | 'refusal';
      text: string;
      opaque?: Opaque;
      readonly citations: ResolveCitation[];
    }
  | {
      readonly type: 'tool-call';
      readonly id: string;
      name: string;
      raw: string;
      opaque?: Opaque;
    };

/**
 * Parses the arguments of a tool call. Models sometimes write invalid JSON. Then the text is kept and the call is
 * marked `invalid`; nothing is thrown.
 */
function parseToolInput(raw: string):
  | { readonly input: Json }
  | {
      readonly input: Json;
      readonly rawInput: string;
      readonly invalid: true;
    } {
  // Models send nothing when the tool has no parameters.
  if (raw.trim() === '') return { input: {} };
  try {
    // Deeply nested JSON could not be serialised again.
    const input: Json | undefined = shallowJson(JSON.parse(raw));
    if (input !== undefined) return { input };
  } catch {
    // Not JSON: falls through.
  }
  return { input: raw, rawInput: raw, invalid: true };
}

export interface PartAssembler {
  /** Appends to the text in a slot, and opens the slot if it is new. A refusal is emitted as text deltas. */
  text(slot: string, type: 'text' | 'reasoning' | 'refusal', delta: string): void;
  toolCall(slot: string, id: string, name: string): void;
  toolInput(slot: string, delta: string): void;
  /** Attaches replay data to the part in the slot. */
  opaque(slot: string, opaque: Opaque): void;
  /** Adds a citation to the text in the slot. It is dropped if the slot has no open text. */
  cite(slot: string, cite: ResolveCitation): void;
  has(slot: string): boolean;
  close(slot: string): void;
  closeAll(): void;
}

function finished(building: Building): Part {
  const opaque = building.opaque === undefined ? {} : { opaque: building.opaque };
  if (building.type !== 'tool-call') {
    const { type, text } = building;
    const citations = building.citations.flatMap((cite) => cite(text) ?? []);
    if (type !== 'text' || citations.length === 0) return { type, text, ...opaque };
    return { type, text, citations, ...opaque };
  }
  const { id, name, raw } = building;
  return { type: 'tool-call', id, name, ...parseToolInput(raw), ...opaque };
}

/** See {@link createPartAssembler}. A class, because thousands of streams have one each. */
class OpenParts implements PartAssembler {
  readonly #addPart: AddPart;
  readonly #open = new Map<string, Building>();
  #started = 0;
  #cited = 0;

  constructor(addPart: AddPart) {
    this.#addPart = addPart;
  }

  text(slot: string, type: 'text' | 'reasoning' | 'refusal', delta: string): void {
    let building = this.#open.get(slot);
    if (building === undefined || building.type === 'tool-call') {
      building = { type, text: '', citations: [] };
      this.#begin(slot, building);
    }
    if (delta === '') return;
    building.text += delta;
    this.#addPart({
      type: type === 'reasoning' ? 'reasoning-delta' : 'text-delta',
      delta,
    });
  }

  toolCall(slot: string, id: string, name: string): void {
    this.#begin(slot, { type: 'tool-call', id, name, raw: '' });
    this.#addPart({ type: 'tool-call-start', id, name });
  }

  toolInput(slot: string, delta: string): void {
    const building = this.#open.get(slot);
    if (building?.type !== 'tool-call' || delta === '') return;
    building.raw += delta;
    this.#addPart({ type: 'tool-call-delta', id: building.id, delta });
  }

  opaque(slot: string, opaque: Opaque): void {
    const building = this.#open.get(slot);
    if (building !== undefined) building.opaque = opaque;
  }

  cite(slot: string, cite: ResolveCitation): void {
    const building = this.#open.get(slot);
    if (building?.type !== 'text') return;
    building.citations.push(cite);
    checkCount(++this.#cited, 'citations');
  }

  has(slot: string): boolean {
    return this.#open.has(slot);
  }

  close(slot: string): void {
    const building = this.#open.get(slot);
    if (building === undefined) return;
    this.#open.delete(slot);
    const blank = building.type !== 'tool-call' && building.text === '';
    if (blank && building.opaque === undefined) return;
    this.#addPart({ type: 'part-end', part: finished(building) });
  }

  #begin(slot: string, building: Building): void {
    this.#open.set(slot, building);
    checkCount(++this.#started, 'parts');
  }

  closeAll(): void {
    for (const slot of [...this.#open.keys()]) this.close(slot);
  }
}

/**
 * Turns a wire's deltas into provider parts. Emits each delta as it arrives, and the whole part when its slot is
 * closed. The wire names the slots (a content index, the index of a tool call). They close in the order they were
 * opened.
 */
export function createPartAssembler(addPart: AddPart): PartAssembler {
  return new OpenParts(addPart);
}

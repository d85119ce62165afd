import { shallowJson } from '../../internal/shallow-json.ts';
import type { Json } from '../../protocol/json.ts';
import type { Citation, Opaque, Part } from '../../protocol/message.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { checkCount } from '../../transport/answer-bound.ts';

/** A citation, once the whole text is known: vendors count bytes, or only quote what is supported. */
type Cite = (text: string) => Citation | undefined;

/** Takes the parts of an answer, one by one, in order. */
export type Tell = (part: ProviderPart) => void;

type Building =
  | {
      readonly type: 'text' | 'reasoning' | 'refusal';
      text: string;
      opaque?: Opaque;
      readonly citations: Cite[];
    }
  | {
      readonly type: 'tool-call';
      readonly id: string;
      name: string;
      raw: string;
      opaque?: Opaque;
    };

/**
 * A tool call's arguments, as far as they are JSON. Models do write broken ones: then the text is kept
 * and the call is marked, and nothing is thrown.
 */
function parseToolInput(raw: string):
  | { readonly input: Json }
  | {
      readonly input: Json;
      readonly rawInput: string;
      readonly invalid: true;
    } {
  // Models that call a tool without parameters send nothing at all.
  if (raw.trim() === '') return { input: {} };
  try {
    // Nested deeper, it could not even be written as JSON again.
    const input: Json | undefined = shallowJson(JSON.parse(raw));
    if (input !== undefined) return { input };
  } catch {
    // It is not JSON.
  }
  return { input: raw, rawInput: raw, invalid: true };
}

export interface PartAssembler {
  /** Adds to the text at `place`, opening it when new. A refusal is told as text: it is what the model says. */
  text(place: string, type: 'text' | 'reasoning' | 'refusal', delta: string): void;
  toolCall(place: string, id: string, name: string): void;
  toolInput(place: string, delta: string): void;
  /** Attaches replay data to what is being built at `place`. */
  opaque(place: string, opaque: Opaque): void;
  /** Adds a source to the text at `place`; without an open text there, it is dropped. */
  cite(place: string, cite: Cite): void;
  has(place: string): boolean;
  close(place: string): void;
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

/** See {@link createPartAssembler}. A class: there is one for each of thousands of streams. */
class OpenParts implements PartAssembler {
  readonly #tell: Tell;
  readonly #open = new Map<string, Building>();
  #begun = 0;
  #cited = 0;

  constructor(tell: Tell) {
    this.#tell = tell;
  }

  text(place: string, type: 'text' | 'reasoning' | 'refusal', delta: string): void {
    let building = this.#open.get(place);
    if (building === undefined || building.type === 'tool-call') {
      building = { type, text: '', citations: [] };
      this.#begin(place, building);
    }
    if (delta === '') return;
    building.text += delta;
    this.#tell({
      type: type === 'reasoning' ? 'reasoning-delta' : 'text-delta',
      delta,
    });
  }

  toolCall(place: string, id: string, name: string): void {
    this.#begin(place, { type: 'tool-call', id, name, raw: '' });
    this.#tell({ type: 'tool-call-start', id, name });
  }

  toolInput(place: string, delta: string): void {
    const building = this.#open.get(place);
    if (building?.type !== 'tool-call' || delta === '') return;
    building.raw += delta;
    this.#tell({ type: 'tool-call-delta', id: building.id, delta });
  }

  opaque(place: string, opaque: Opaque): void {
    const building = this.#open.get(place);
    if (building !== undefined) building.opaque = opaque;
  }

  cite(place: string, cite: Cite): void {
    const building = this.#open.get(place);
    if (building?.type !== 'text') return;
    building.citations.push(cite);
    checkCount(++this.#cited, 'citations');
  }

  has(place: string): boolean {
    return this.#open.has(place);
  }

  close(place: string): void {
    const building = this.#open.get(place);
    if (building === undefined) return;
    this.#open.delete(place);
    const blank = building.type !== 'tool-call' && building.text === '';
    if (blank && building.opaque === undefined) return;
    this.#tell({ type: 'part-end', part: finished(building) });
  }

  #begin(place: string, building: Building): void {
    this.#open.set(place, building);
    checkCount(++this.#begun, 'parts');
  }

  closeAll(): void {
    for (const place of [...this.#open.keys()]) this.close(place);
  }
}

/**
 * Turns a wire's deltas into provider parts: told as they come, and whole once their place is closed.
 * Places are the wire's own (a content index, a tool call's index); they close in the order they opened.
 */
export function createPartAssembler(tell: Tell): PartAssembler {
  return new OpenParts(tell);
}

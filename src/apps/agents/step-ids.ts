import type { Completion } from '../../protocol/completion.ts';
import type { Message, Part, ToolCallPart } from '../../protocol/message.ts';
import type { StreamPart } from '../../protocol/stream-part.ts';

/** The ids of the tool calls in the messages. */
function idsIn(messages: readonly Message[]): Set<string> {
  const parts = messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content));
  return new Set(parts.flatMap((part) => (part.type === 'tool-call' ? part.id : [])));
}

/**
 * Makes the ids of one answer's tool calls unique in the conversation. Some vendors count their calls from 1 in each
 * answer, and a result, an approval or a key for idempotency must be one call's alone.
 */
export class StepIds {
  readonly #used: Set<string>;
  /** By the ids in the answer, which are unique in it. */
  readonly #given = new Map<string, string>();

  constructor(messages: readonly Message[]) {
    this.#used = idsIn(messages);
  }

  part(part: StreamPart): StreamPart {
    switch (part.type) {
      case 'tool-call-start':
      case 'tool-call-delta':
        return this.#with(part);
      case 'part-end':
        return { ...part, part: this.#content(part.part) };
      case 'finish':
        return { ...part, completion: this.completion(part.completion) };
      default:
        return part;
    }
  }

  completion(completion: Completion): Completion {
    if (completion.content.every((part) => this.#content(part) === part)) return completion;
    const content = completion.content.map((part) => this.#content(part));
    const toolCalls = completion.toolCalls.map((call): ToolCallPart => this.#with(call));
    return { ...completion, content, toolCalls };
  }

  #content(part: Part): Part {
    return part.type === 'tool-call' ? this.#with(part) : part;
  }

  #with<Each extends { readonly id: string }>(each: Each): Each {
    const id = this.#given.get(each.id) ?? this.#give(each.id);
    return id === each.id ? each : { ...each, id };
  }

  #give(id: string): string {
    let unique = id;
    for (let count = 2; this.#used.has(unique); count++) unique = `${id}_${count}`;
    this.#used.add(unique);
    this.#given.set(id, unique);
    return unique;
  }
}

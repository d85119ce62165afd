import type { Json } from '../../../protocol/json.ts';
import type { Citation, Part } from '../../../protocol/message.ts';
import type { PartsHook, PluginParts } from '../../../protocol/plugin.ts';
import type { Placeholders, Restorer } from './placeholders.ts';
import { mapJson } from './request-texts.ts';

type DeltaPart = Extract<
  PluginParts[number],
  { type: 'text-delta' | 'reasoning-delta' | 'tool-call-delta' }
>;

function keyOf(part: DeltaPart): string {
  return part.type === 'tool-call-delta' ? `tool-call ${part.id}` : part.type;
}

/** The deltas that a whole part ends. */
function keyOfWhole(part: Part): string | undefined {
  if (part.type === 'tool-call') return `tool-call ${part.id}`;
  return part.type === 'text' || part.type === 'reasoning' ? `${part.type}-delta` : undefined;
}

/** Puts values back into the parts of one answer. `answerFormat` is that of its text. */
export function restoredParts(
  placeholders: Placeholders,
  answerFormat: 'text' | 'json',
): PartsHook {
  const open = new Map<string, { readonly last: DeltaPart; readonly restorer: Restorer }>();

  function delta(part: DeltaPart): PluginParts {
    const key = keyOf(part);
    const format =
      part.type === 'tool-call-delta' ? 'json' : part.type === 'text-delta' ? answerFormat : 'text';
    const restorer = open.get(key)?.restorer ?? placeholders.restorer(format);
    open.set(key, { last: part, restorer });
    const text = restorer.push(part.delta);
    return text === '' ? [] : [{ ...part, delta: text }];
  }

  function ended(key: string): PluginParts {
    const entry = open.get(key);
    open.delete(key);
    const text = entry?.restorer.end() ?? '';
    return entry === undefined || text === '' ? [] : [{ ...entry.last, delta: text }];
  }

  const restore = (text: string): string => placeholders.restore(text, 'text');
  const inAnswer = (text: string): string => placeholders.restore(text, answerFormat);

  function citation(cited: Citation, text: string): Citation {
    const { start, end, citedText, title, source } = cited;
    const moved = (index: number): number => inAnswer(text.slice(0, index)).length;
    return {
      ...cited,
      ...(start !== undefined && { start: moved(start) }),
      ...(end !== undefined && { end: moved(end) }),
      ...(citedText !== undefined && { citedText: restore(citedText) }),
      ...(title !== undefined && { title: restore(title) }),
      ...(source !== undefined && { source: restore(source) }),
    };
  }

  function whole(part: Part): Part {
    switch (part.type) {
      case 'text': {
        const { text, citations } = part;
        return {
          ...part,
          text: inAnswer(text),
          ...(citations !== undefined && {
            citations: citations.map((each) => citation(each, text)),
          }),
        };
      }
      case 'reasoning':
      case 'refusal':
        return { ...part, text: restore(part.text) };
      case 'tool-call': {
        const { input, rawInput } = part;
        return {
          ...part,
          input: mapJson(input, restore) as Json,
          ...(rawInput !== undefined && { rawInput: placeholders.restore(rawInput, 'json') }),
        };
      }
      default:
        return part;
    }
  }

  return {
    parts: (batch) =>
      batch.flatMap((part): PluginParts => {
        if (
          part.type === 'text-delta' ||
          part.type === 'reasoning-delta' ||
          part.type === 'tool-call-delta'
        ) {
          return delta(part);
        }
        if (part.type !== 'part-end') return [part];
        const key = keyOfWhole(part.part);
        const rest = key === undefined ? [] : ended(key);
        return [...rest, { ...part, part: whole(part.part) }];
      }),
    restart: () => open.clear(),
    end: () => [...open.keys()].flatMap(ended),
  };
}

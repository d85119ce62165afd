import { deserialize, serialize } from 'node:v8';
import type { Part } from '../../protocol/message.ts';
import type { PluginAnswer, PluginCall, PluginParts } from '../../protocol/plugin.ts';

/** Characters of a replayed delta. */
const deltaLength = 256;

/** Whether the answer is whole and usable, and nothing of it was filtered, refused or denied. */
export function isKeepable({ kind }: PluginCall, answer: PluginAnswer): boolean {
  const { finishReason, content, vectors } = answer;
  if (kind === 'embed') return vectors !== undefined;
  if (finishReason !== 'stop' && finishReason !== 'tool_calls') return false;
  const isUnusable = (part: Part): boolean =>
    part.type === 'refusal' ||
    (part.type === 'tool-call' && (part.denied !== undefined || part.invalid === true));
  return content.length > 0 && !content.some(isUnusable);
}

/** The answer as bytes: no caller can change them, and their size is known. `undefined` if it holds functions. */
export function toBytes(answer: PluginAnswer): Uint8Array | undefined {
  // What is in `content` is not kept twice. The object and the inputs of tools are made for each caller by its schemas.
  const {
    text: _text,
    reasoningText: _reasoningText,
    toolCalls: _toolCalls,
    object: _object,
    tags: _tags,
    trail: _trail,
    ...kept
  } = answer;
  try {
    // Copied: the buffer is up to twice as large as what is in it.
    return new Uint8Array(serialize(kept));
  } catch {
    return undefined;
  }
}

function joined(content: readonly Part[], type: 'text' | 'reasoning'): string {
  return content.map((part) => (part.type === type ? part.text : '')).join('');
}

/** The kept answer as the answer of this call, which costs nothing. */
export function toHit(bytes: Uint8Array, call: PluginCall, startedAt: number): PluginAnswer {
  const answer: PluginAnswer = deserialize(bytes);
  const { content } = answer;
  const totalMs = call.runtime.now() - startedAt;
  return {
    ...answer,
    text: joined(content, 'text'),
    reasoningText: joined(content, 'reasoning'),
    toolCalls: content.flatMap((part) =>
      part.type === 'tool-call' && part.denied === undefined ? [part] : [],
    ),
    object: undefined,
    cost: {
      usd: 0,
      breakdown: { input: 0, cachedInput: 0, cacheWrite: 0, output: 0 },
      priced: 'exact',
      attemptsUsd: 0,
      savedUsd: answer.cost.usd,
    },
    latency: call.kind === 'chat' ? { totalMs, firstTokenMs: totalMs } : { totalMs },
    trail: [],
    tags: call.tags,
    cached: true,
  };
}

/** A text in deltas. No character is split. */
function deltasOf(text: string): readonly string[] {
  const deltas: string[] = [];
  for (let from = 0; from < text.length; ) {
    let to = Math.min(from + deltaLength, text.length);
    if (/[\uD800-\uDBFF]/.test(text.charAt(to - 1)) && to < text.length) to += 1;
    deltas.push(text.slice(from, to));
    from = to;
  }
  return deltas;
}

function partsOf(part: Part): PluginParts {
  const end = { type: 'part-end', part } as const;
  if (part.type === 'text') {
    return [...deltasOf(part.text).map((delta) => ({ type: 'text-delta', delta }) as const), end];
  }
  if (part.type === 'reasoning') {
    const deltas = deltasOf(part.text);
    return [...deltas.map((delta) => ({ type: 'reasoning-delta', delta }) as const), end];
  }
  if (part.type !== 'tool-call') return [end];
  const { id, name, input, rawInput } = part;
  return [
    { type: 'tool-call-start', id, name },
    { type: 'tool-call-delta', id, delta: rawInput ?? JSON.stringify(input) },
    end,
  ];
}

/** The answer as the parts of a call: those of a stream, or the whole. */
export function replay({ mode }: PluginCall, answer: PluginAnswer): PluginParts {
  const finish = { type: 'finish', completion: answer } as const;
  if (mode === 'complete') return [finish];
  const start = { type: 'start', target: answer.target, model: answer.model.requested } as const;
  return [start, ...answer.content.flatMap(partsOf), finish];
}

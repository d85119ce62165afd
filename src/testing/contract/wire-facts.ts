import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { ProviderRequest } from '../../protocol/request.ts';
import { listOf, objectOf } from '../../wires/common/read.ts';
import type { WrittenWire } from '../../wires/common/write.ts';

/** The ids of the tool calls and results in a request's body. */
type ToolIds = { readonly calls: readonly unknown[]; readonly results: readonly unknown[] };

/** What differs between wires. */
export type WireFacts = {
  /** Number of server-sent events after which a part of the suite's text has been sent. */
  readonly midway: number;
  /** An option that this wire does not support. */
  readonly lacking: { readonly param: string; readonly request: Partial<ProviderRequest> };
  /** The finish reasons that the simulator can send on this wire, and what each is read as. */
  readonly finishReasons: Partial<Record<FinishReason, FinishReason>>;
  /** Whether its usage reports tokens written to the cache. */
  readonly reportsCacheWrites: boolean;
  /** Whether reasoning comes with replay data. */
  readonly signsReasoning: boolean;
  readonly showsReasoning: boolean;
  /** Whether tool arguments are sent as text, which may be invalid JSON. */
  readonly inputIsText: boolean;
  /** Whether answers carry a request id in their headers. */
  readonly hasRequestId: boolean;
  toolIds(body: JsonObject): ToolIds;
};

function objects(value: unknown): readonly JsonObject[] {
  return listOf(value).map(objectOf);
}

/** All parts of all turns. */
function contents(turns: unknown, key: string): readonly JsonObject[] {
  return objects(turns).flatMap((turn) => objects(turn[key]));
}

const openai = {
  reportsCacheWrites: true,
  inputIsText: true,
  hasRequestId: true,
  lacking: { param: 'topK', request: { topK: 5 } },
} as const;

export const wireFacts = {
  'openai-responses': {
    ...openai,
    midway: 6,
    finishReasons: {
      stop: 'stop',
      length: 'length',
      content_filter: 'content_filter',
      refusal: 'refusal',
      other: 'other',
    },
    signsReasoning: true,
    showsReasoning: true,
    toolIds: ({ input }) => {
      const items = objects(input);
      return {
        calls: items.filter(({ type }) => type === 'function_call').map((item) => item.call_id),
        results: items
          .filter(({ type }) => type === 'function_call_output')
          .map((item) => item.call_id),
      };
    },
  },
  'openai-chat': {
    ...openai,
    midway: 2,
    finishReasons: {
      stop: 'stop',
      length: 'length',
      content_filter: 'content_filter',
      refusal: 'refusal',
      other: 'other',
    },
    signsReasoning: false,
    showsReasoning: false,
    toolIds: ({ messages }) => ({
      calls: contents(messages, 'tool_calls').map(({ id }) => id),
      results: objects(messages)
        .filter(({ role }) => role === 'tool')
        .map((message) => message.tool_call_id),
    }),
  },
  anthropic: {
    midway: 5,
    lacking: { param: 'seed', request: { seed: 7 } },
    finishReasons: {
      stop: 'stop',
      length: 'length',
      refusal: 'refusal',
      context_length: 'context_length',
      pause: 'pause',
      other: 'other',
    },
    reportsCacheWrites: true,
    signsReasoning: true,
    showsReasoning: true,
    inputIsText: true,
    hasRequestId: true,
    toolIds: ({ messages }) => {
      const blocks = contents(messages, 'content');
      return {
        calls: blocks.filter(({ type }) => type === 'tool_use').map(({ id }) => id),
        results: blocks
          .filter(({ type }) => type === 'tool_result')
          .map((block) => block.tool_use_id),
      };
    },
  },
  gemini: {
    midway: 2,
    lacking: {
      param: 'parallelToolCalls',
      request: {
        parallelToolCalls: false,
        tools: [{ name: 'weather', inputSchema: { type: 'object' } }],
      },
    },
    finishReasons: {
      stop: 'stop',
      length: 'length',
      content_filter: 'content_filter',
      error: 'error',
      other: 'other',
    },
    reportsCacheWrites: false,
    signsReasoning: true,
    showsReasoning: true,
    inputIsText: false,
    hasRequestId: false,
    toolIds: (body) => {
      const parts = contents(body.contents, 'parts');
      return {
        calls: parts.flatMap(({ functionCall }) =>
          functionCall === undefined ? [] : [objectOf(functionCall).id],
        ),
        results: parts.flatMap(({ functionResponse }) =>
          functionResponse === undefined ? [] : [objectOf(functionResponse).id],
        ),
      };
    },
  },
} as const satisfies Record<WrittenWire, WireFacts>;

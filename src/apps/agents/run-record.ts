import { createHash } from 'node:crypto';
import { SignalboxError } from '../../errors.ts';
import { dataFlaws } from '../../internal/caller-data.ts';
import { quoted } from '../../internal/quoted.ts';
import type { Tags } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import type { Message, ToolCallPart, ToolResultPart } from '../../protocol/message.ts';
import type { RunState, RunStep, ToolRecord } from './run-result.ts';

/** A call of the last answer, which has a result, or will have. */
export type OpenCall = {
  readonly part: ToolCallPart;
  /** `started`: its tool runs, or was running when the process ended. */
  status: 'new' | 'pending' | 'started' | 'done';
  /** As the tool gets it, if the engine validated it. */
  input?: { readonly value: unknown };
  result?: ToolResultPart;
};

type MutableStep = Omit<RunStep, 'tools'> & { readonly tools: ToolRecord[] };

/** All that a run is: what `resumeTools` needs to go on with it. */
export type RunRecord = {
  readonly id: string;
  /** `null` if it is a function, which a state cannot contain. */
  readonly tier: string | null;
  /** The call options that are JSON. */
  readonly options: JsonObject;
  /** The names of those that are not, and that the answers depend on. */
  readonly needs: readonly string[];
  readonly limits: {
    readonly maxSteps: number;
    readonly concurrency: number;
    readonly maxUsd?: number;
  };
  readonly steps: MutableStep[];
  messages: readonly Message[];
  /** US dollars, as far as prices are known. */
  spentUsd: number;
  hasUnknownCost: boolean;
  /** Of the last answer. */
  tags: Tags;
  /** Those of the last answer, in its order, until all have results. */
  calls: OpenCall[];
};

const kind = 'signalbox-run';

function config(what: string, cause?: unknown): SignalboxError {
  return new SignalboxError('config', what, cause === undefined ? {} : { cause });
}

function invalid(what: string): SignalboxError {
  return config(`the state of the run ${what}`);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value with the fields of objects in one order: some databases change it. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  const names = Object.keys(value).sort((one, other) => (one < other ? -1 : 1));
  return Object.fromEntries(names.map((name) => [name, sorted(value[name])]));
}

function digestOf(fields: JsonObject): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(fields)))
    .digest('hex');
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  return value instanceof ArrayBuffer ? new Uint8Array(value) : undefined;
}

/** A copy as JSON, in which bytes of images and files are base64. */
function toJson(fields: JsonObject): JsonObject {
  const [flaw] = dataFlaws(fields);
  if (flaw !== undefined) throw config(`${flaw.path.map(String).join('.')} ${flaw.message}`);
  // A Buffer would write itself as a list of numbers: the value is read from its holder.
  const text = JSON.stringify(fields, function (this: unknown, key, value: unknown) {
    const bytes = bytesOf(Reflect.get(Object(this), key));
    return bytes === undefined ? value : Buffer.from(bytes).toString('base64');
  });
  return JSON.parse(text);
}

/** @throws SignalboxError `config` if the messages are not JSON */
export function encodeRecord(record: RunRecord): RunState {
  const { calls, steps, ...fields } = record;
  const json = toJson({
    ...fields,
    kind,
    v: 1,
    steps: steps.map(({ tools, ...step }) => ({
      ...step,
      tools: tools.map(({ error: _, ...tool }) => tool),
    })),
    calls: calls.map(({ part: { id }, status, result }) => ({ id, status, result })),
  });
  return { ...json, kind, v: 1, digest: digestOf(json) };
}

type Encoded = Omit<RunRecord, 'calls'> & {
  readonly calls: readonly {
    readonly id: string;
    readonly status: OpenCall['status'];
    readonly result?: ToolResultPart;
  }[];
};

/** Whether the fields that the run reads have the types that it relies on. */
function isEncoded(fields: JsonObject): fields is JsonObject & Encoded {
  const { id, options, needs, limits, steps, messages, spentUsd, tags, calls } = fields;
  const lists = [needs, steps, messages, calls];
  const objects = [options, limits, tags];
  return (
    typeof id === 'string' &&
    Number.isFinite(spentUsd) &&
    lists.every((list) => Array.isArray(list)) &&
    objects.every(isObject) &&
    (calls as readonly unknown[]).every((call) => isObject(call) && typeof call.id === 'string')
  );
}

/** The tool calls of the last answer. */
function lastCalls(messages: readonly Message[]): readonly ToolCallPart[] {
  const last = messages.at(-1);
  if (last?.role !== 'assistant' || typeof last.content === 'string') return [];
  return last.content.filter((part) => part.type === 'tool-call');
}

/** @throws SignalboxError `config` for something that is not a state, or that was changed */
export function decodeRecord(state: unknown): RunRecord {
  if (typeof state === 'string') throw invalid('is text: pass the result of JSON.parse');
  if (!isObject(state) || state.kind !== kind) {
    throw invalid('was not made by runTools: pass `state` of a result, or `checkpoint()` of a run');
  }
  if (state.v !== 1) {
    throw invalid(
      `has the version ${quoted(state.v)}, which this version of signalbox cannot read`,
    );
  }
  const { digest, ...fields } = state;
  if (digestOf(fields) !== digest) {
    throw invalid('was changed: its digest does not fit. Store it unchanged');
  }
  if (!isEncoded(fields)) throw invalid('lacks fields: it was not made by runTools');
  const { kind: _kind, v: _v, calls, ...rest } = fields;
  const parts = new Map(lastCalls(fields.messages).map((part) => [part.id, part]));
  return {
    ...rest,
    // The caller may resume from the same object again.
    steps: fields.steps.map((step) => ({ ...step, tools: [...step.tools] })),
    calls: calls.map(({ id, status, result }) => {
      const part = parts.get(id);
      if (part === undefined) throw invalid(`has a call ${quoted(id)} that its last answer lacks`);
      return { part, status, ...(result !== undefined && { result }) };
    }),
  } as RunRecord;
}

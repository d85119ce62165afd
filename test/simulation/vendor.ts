import {
  type AttemptContext,
  type AttemptErrorCode,
  type Capability,
  type EmbeddingRequest,
  type Provider,
  type ProviderPart,
  type ProviderRequest,
  SignalboxError,
  type Usage,
} from '../../src/index.ts';
import { inBatches, inUnevenBatches } from '../support/batches.ts';
import { addressesIn, correctAnswer, correctObject, numberIn } from './answers.ts';
import { ownFault } from './incidents.ts';
import { toolNames } from './layers.ts';
import type { VirtualTime } from './virtual-time.ts';
import type { Trouble, VendorPlan, World } from './world.ts';

/** A vendor's record of one request. */
export type Entry = {
  readonly id: number;
  readonly vendor: string;
  readonly target: string;
  readonly call: number;
  /** What a vendor can read of it. */
  readonly sent: string;
  readonly at: number;
  readonly trouble: Trouble | undefined;
  endedAt: number | undefined;
  /** End of the Retry-After that it sent. */
  notBefore: number | undefined;
  /** The usage that it reported last, which it bills. */
  billed: Usage | undefined;
  /** Whether it has sent some of an answer. */
  hasAnswered: boolean;
};

/** All requests of all vendors. */
export type Ledger = Entry[];

const minuteMs = 60_000;

const withoutEnd = Number.POSITIVE_INFINITY;

const slowMs = 8_000;

/** Vendors whose batches may have several parts. */
const unevenVendors = ['a', 'c'];

const codes: Partial<Record<Trouble, readonly [AttemptErrorCode, number | undefined]>> = {
  down: ['connection', undefined],
  error: ['server_error', 500],
  overloaded: ['overloaded', 503],
  limited: ['rate_limited', 429],
  'limited-with-time': ['rate_limited', 429],
  garbage: ['invalid_response', 200],
  auth: ['auth', 401],
  quota: ['quota_exhausted', 429],
  'rejects-request': ['invalid_request', 400],
};

function failure(trouble: Trouble): SignalboxError | undefined {
  const [code, status] = codes[trouble] ?? [];
  if (code === undefined) return undefined;
  const retryAfterMs = trouble === 'limited-with-time' ? 3_000 : undefined;
  return new SignalboxError(code, `simulated: ${trouble}`, { status, retryAfterMs });
}

function textIn(message: ProviderRequest['messages'][number] | undefined): string {
  return (message?.content ?? []).map((part) => (part.type === 'text' ? part.text : '')).join('');
}

function promptIn(request: ProviderRequest | EmbeddingRequest): string {
  return 'values' in request ? request.values.join(' ') : request.messages.map(textIn).join(' ');
}

/** A vendor of the simulation. It streams the correct answer, except while it has trouble. */
export function createVendor(
  plan: VendorPlan,
  {
    incidents: { ownFaults, freeze },
    billing,
    shortUntilMs,
  }: Pick<World, 'incidents' | 'billing' | 'shortUntilMs'>,
  time: VirtualTime,
  ledger: Ledger,
): Provider {
  const beganAt = time.now();
  const lostAt = freeze?.losesConnections === true ? beganAt + freeze.atMs : undefined;
  const windows = new Map<number, number>();
  let requests = 0;

  function troubleNow(): Trouble | undefined {
    const elapsedMs = time.now() - beganAt;
    const trouble = plan.weather.find(
      ({ fromMs, toMs }) => fromMs <= elapsedMs && elapsedMs < toMs,
    )?.trouble;
    if (trouble !== 'flapping') return trouble;
    return requests % 2 === 0 ? 'error' : undefined;
  }

  /** Throws when the minute's quota is used up. */
  function count({ watch }: AttemptContext): void {
    if (plan.quota === undefined) return;
    const elapsedMs = time.now() - beganAt;
    const window = Math.floor(elapsedMs / minuteMs);
    const used = windows.get(window) ?? 0;
    windows.set(window, used + 1);
    const resetMs = (window + 1) * minuteMs - elapsedMs;
    const remaining = Math.max(0, plan.quota - used - 1);
    const limit = { name: 'requests', unit: 'requests', limit: plan.quota } as const;
    if (plan.reportsLimits) watch.limits([{ ...limit, remaining, resetMs }]);
    if (used < plan.quota) return;
    throw new SignalboxError('rate_limited', 'simulated: the quota', {
      status: 429,
      ...(plan.reportsLimits && { retryAfterMs: resetMs }),
    });
  }

  /** The text to send: the whole answer, or the rest after a prefill. */
  function textFor(request: ProviderRequest, number: number, trouble: Trouble | undefined): string {
    const last = request.messages.at(-1);
    const addresses = addressesIn(promptIn(request));
    if (request.output !== undefined) {
      const object = JSON.stringify(correctObject(number, addresses));
      if (trouble !== 'bad-output') return object;
      return addresses.length === 0 ? '{"call":' : JSON.stringify({ call: addresses[0] });
    }
    const whole = correctAnswer(number, addresses);
    if (last?.role !== 'assistant') return whole;
    const begun = textIn(last);
    if (plan.prefill !== 'yes' || !whole.startsWith(begun)) {
      throw new SignalboxError('invalid_request', 'simulated: prefill rejected');
    }
    return whole.slice(begun.length);
  }

  /** Waits as long as the trouble says, or fails. Returns how to wait on. */
  async function begin(
    context: AttemptContext,
    entry: Entry,
  ): Promise<(ms: number) => Promise<void>> {
    const { signal, watch } = context;
    // A freeze is of the router's process: the vendor goes on, and what it sent arrives at the end.
    let due = entry.at;
    async function pause(ms: number): Promise<void> {
      due = (freeze === undefined ? time.now() : due) + ms;
      await time.sleep(Math.max(0, due - time.now()), signal);
      if (lostAt === undefined || entry.at > lostAt || time.now() <= lostAt) return;
      throw new SignalboxError('stream_interrupted', 'simulated: the connection is lost');
    }
    await pause(5);
    watch.connected();
    const { trouble } = entry;
    if (trouble === 'silent') await pause(withoutEnd);
    await pause(plan.firstTokenMs + (trouble === 'slow' ? slowMs : 0));
    const isOtherKey = trouble === 'auth' && (context.key ?? 0) > 0;
    const failed = trouble === undefined || isOtherKey ? undefined : failure(trouble);
    if (failed?.retryAfterMs !== undefined) entry.notBefore = time.now() + failed.retryAfterMs;
    if (failed !== undefined) throw failed;
    const own = ownFaults[entry.call];
    if (own?.vendor === plan.name) throw ownFault(own.fault);
    count(context);
    return pause;
  }

  function usageOf({ id }: Entry, outputTokens: number): Usage {
    // Unique, so that a cost event can be matched to its request.
    const inputTokens = billing.inputTokens + id;
    return { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens };
  }

  async function* embed(
    request: EmbeddingRequest,
    context: AttemptContext,
    entry: Entry,
  ): AsyncGenerator<ProviderPart, void> {
    const pause = await begin(context, entry);
    if (entry.trouble === 'stall') await pause(withoutEnd);
    if (entry.trouble === 'cut' || entry.trouble === 'truncated') return;
    yield { type: 'open', servedModel: request.model };
    yield { type: 'vectors', vectors: request.values.map(() => [1, 0]) };
    entry.hasAnswered = true;
    entry.billed = usageOf(entry, 0);
    yield { type: 'finish', finishReason: 'stop', usage: entry.billed };
  }

  function* toolCalls(request: ProviderRequest, { id }: Entry): Generator<ProviderPart, void> {
    const [to = 'nobody'] = addressesIn(promptIn(request));
    for (const name of toolNames) {
      const call = { id: `${name} ${id}`, name };
      const json = JSON.stringify({ to });
      const half = Math.floor(json.length / 2);
      yield { type: 'tool-call-start', ...call };
      yield { type: 'tool-call-delta', id: call.id, delta: json.slice(0, half) };
      yield { type: 'tool-call-delta', id: call.id, delta: json.slice(half) };
      yield { type: 'part-end', part: { type: 'tool-call', ...call, input: { to } } };
    }
  }

  async function* answer(
    request: ProviderRequest,
    context: AttemptContext,
    entry: Entry,
  ): AsyncGenerator<ProviderPart, void> {
    const { watch } = context;
    const pause = await begin(context, entry);
    const { trouble } = entry;
    const text = textFor(request, entry.call, trouble);
    // An address, or what stands in its place, arrives in pieces.
    const words = text.match(/\s*[^\s_@]+|[_@]/g) ?? [];
    const usage = (outputTokens: number): Usage => usageOf(entry, outputTokens);
    yield { type: 'open', servedModel: request.model };
    if (plan.reportsUsageEarly) {
      entry.billed = usage(1);
      yield { type: 'usage', usage: usage(1) };
    }
    const perChunk = context.transfer === 'unary' ? words.length : plan.wordsPerChunk;
    const half = Math.max(1, Math.floor(words.length / 2));
    const isShort = request.output === undefined && time.now() - beganAt < shortUntilMs;
    let sent = '';
    for (let at = 0; at < words.length; at += perChunk) {
      if (isShort && at >= half) break;
      if (at > 0 && at >= half) {
        if (trouble === 'stall') await pause(withoutEnd);
        if (trouble === 'cut') throw new SignalboxError('stream_interrupted', 'simulated: cut');
        if (trouble === 'truncated') return;
      }
      if (at > 0) await pause(plan.chunkMs);
      watch.bytes();
      entry.hasAnswered = true;
      const delta = words.slice(at, at + perChunk).join('');
      sent += delta;
      yield { type: 'text-delta', delta };
    }
    yield { type: 'part-end', part: { type: 'text', text: sent } };
    const isCalling = !isShort && (request.tools?.length ?? 0) > 0;
    if (isCalling) yield* toolCalls(request, entry);
    entry.billed = usage(words.length + (billing.hidden[plan.name] ?? 0));
    const finishReason = isShort ? 'length' : isCalling ? 'tool_calls' : 'stop';
    yield { type: 'finish', finishReason, usage: entry.billed };
  }

  async function* send(
    request: ProviderRequest | EmbeddingRequest,
    context: AttemptContext,
  ): AsyncGenerator<ProviderPart, void> {
    context.signal.throwIfAborted();
    const { key } = context;
    requests += 1;
    const entry: Entry = {
      id: ledger.length,
      vendor: plan.name,
      target: `${plan.name}/${request.model}${key === undefined ? '' : `#${key + 1}`}`,
      call: numberIn(promptIn(request)),
      sent: JSON.stringify('values' in request ? request.values : request.messages),
      at: time.now(),
      trouble: troubleNow(),
      endedAt: undefined,
      notBefore: undefined,
      billed: undefined,
      hasAnswered: false,
    };
    ledger.push(entry);
    try {
      yield* 'values' in request ? embed(request, context, entry) : answer(request, context, entry);
    } finally {
      entry.endedAt = time.now();
    }
  }

  const prefill: readonly Capability[] = plan.prefill === 'no' ? [] : ['prefill'];
  return {
    wire: `simulated ${plan.name}`,
    keyCount: plan.keys,
    capabilities: (model) =>
      new Set(model === 'e1' ? ['embeddings'] : ['tools', 'structured-output', ...prefill]),
    preload: async () => undefined,
    prepare: (request) => ({
      warnings: [],
      send(context) {
        const parts = send(request, context);
        return unevenVendors.includes(plan.name) ? inUnevenBatches(parts) : inBatches(parts);
      },
    }),
    prepareEmbedding: (request) => ({
      warnings: [],
      send: (context) => inBatches(send(request, context)),
    }),
  };
}

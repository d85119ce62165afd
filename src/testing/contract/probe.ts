import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isSignalboxError, type SignalboxError } from '../../errors.ts';
import type { Part } from '../../protocol/message.ts';
import type { PreparedCall, Provider, Watch } from '../../protocol/provider.ts';
import type { ProviderRequest, Transfer } from '../../protocol/request.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { LoggedRequest } from '../simulator/exchange.ts';
import type { SimulatedProvider } from '../simulator/server.ts';
import { assertGrammar } from './grammar.ts';
import type { WireFacts } from './wire-facts.ts';

/** An adapter under test and its simulated vendor. */
export type Subject = {
  readonly provider: Provider;
  /** Makes another adapter, for cases about what its factory reads. */
  readonly makeProvider: () => Promise<Provider>;
  readonly model: string;
  readonly simulator: SimulatedProvider;
  readonly facts: WireFacts;
};

/** One case of the suite. `run` rejects with an `AssertionError` when the adapter breaks the contract. */
export type ContractCase = { readonly name: string; readonly run: () => Promise<void> };

export type CaseBody = (subject: Subject) => Promise<void>;

type Finish = Extract<ProviderPart, { type: 'finish' }>;

/** The outcome of one `send`. */
export type Outcome = {
  readonly parts: readonly ProviderPart[];
  readonly content: readonly Part[];
  readonly text: string;
  readonly finish: Finish | undefined;
  readonly error: unknown;
};

/** How one answer is read. */
export type Reading = {
  readonly transfer?: Transfer;
  readonly controller?: AbortController;
  /** Milliseconds after which the adapter counts as hanging. @default 30_000 */
  readonly hangMs?: number;
  readonly watch?: Watch;
  readonly keepRaw?: boolean;
  /** Called with each part; `'leave'` stops reading. */
  readonly onPart?: (part: ProviderPart) => 'leave' | undefined;
};

type Question = Reading & { readonly request?: Partial<ProviderRequest> };

/** Part of every request's prompt; must not occur in error messages. */
export const prompt = 'prompt-marker-5d1c: say something in German.';

/** Long enough for several deltas on every wire, with characters of one to four bytes. */
export const germanText = 'Grüße an alle in der schönen Stadt Zürich 🎉🎉';

export const silentWatch: Watch = {
  connected: () => undefined,
  bytes: () => undefined,
  limits: () => undefined,
};

/** Long enough for a busy machine; only an adapter that hangs takes longer. */
const defaultHangMs = 30_000;

/** Rejects when `promise` hangs. */
export async function soon<Value>(
  what: string,
  promise: Promise<Value>,
  hangMs = defaultHangMs,
): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new assert.AssertionError({ message: `${what}: not within ${hangMs} ms` })),
      hangMs,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until `condition` holds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const startedAt = performance.now();
  while (!condition()) {
    const isSoon = performance.now() - startedAt < defaultHangMs;
    assert.ok(isSoon, `${what}: not within ${defaultHangMs} ms`);
    await nextTurn();
  }
}

/** The `fetch` of older Node versions leaves a listener until its request is garbage-collected. */
async function listenersLeftByFetch(): Promise<number> {
  const { signal } = new AbortController();
  await (await fetch('data:,', { signal })).text();
  return getEventListeners(signal, 'abort').length;
}

function freeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const each of Object.values(value)) freeze(each);
  }
  return value;
}

export function requestOf(
  subject: Pick<Subject, 'model'>,
  more: Partial<ProviderRequest> = {},
): ProviderRequest {
  const messages = [{ role: 'user' as const, content: [{ type: 'text' as const, text: prompt }] }];
  // Frozen, to detect adapters that modify their request.
  return freeze({ provider: 'contract', model: subject.model, messages, ...more });
}

/** Sends one request, reads the answer to its end, and checks what holds for every outcome at every vendor. */
export async function readAnswer(
  prepare: () => PreparedCall,
  reading: Reading = {},
): Promise<Outcome> {
  const controller = reading.controller ?? new AbortController();
  const { signal } = controller;
  const parts: ProviderPart[] = [];
  let error: unknown;
  let hasLeft = false;
  const read = async (): Promise<void> => {
    for await (const batch of prepare().send({
      signal,
      transfer: reading.transfer ?? 'stream',
      keepRaw: reading.keepRaw ?? false,
      watch: reading.watch ?? silentWatch,
    })) {
      assert.ok(batch.length > 0, 'a batch has at least one part');
      for (const part of batch) {
        parts.push(part);
        hasLeft = reading.onPart?.(part) === 'leave';
        if (hasLeft) return;
      }
    }
  };
  const reader = read().catch((thrown: unknown) => {
    error = thrown;
  });
  await soon('the end of the answer', reader, reading.hangMs).catch((late: unknown) => {
    // So that a hanging request does not continue into the next case.
    controller.abort();
    throw late;
  });
  if (error instanceof assert.AssertionError) throw error;
  const listeners = getEventListeners(signal, 'abort').length;
  assert.ok(listeners <= (await listenersLeftByFetch()), 'no listener is left on the signal');
  const outcome = { ...summarize(parts), error };
  assertGrammar(outcome, hasLeft);
  return outcome;
}

/** {@link readAnswer} at the simulated vendor, which must receive one request at most. */
export async function ask(subject: Subject, question: Question = {}): Promise<Outcome> {
  const { provider, simulator } = subject;
  const sentBefore = simulator.log.length;
  const prepare = (): PreparedCall => provider.prepare(requestOf(subject, question.request));
  const outcome = await readAnswer(prepare, question);
  assert.ok(simulator.log.length - sentBefore <= 1, 'one send() makes at most one HTTP request');
  return outcome;
}

function summarize(parts: readonly ProviderPart[]): Omit<Outcome, 'error'> {
  const content = parts.flatMap((part) => (part.type === 'part-end' ? [part.part] : []));
  return {
    parts,
    content,
    text: parts.map((part) => (part.type === 'text-delta' ? part.delta : '')).join(''),
    finish: parts.find((part) => part.type === 'finish'),
  };
}

/** Like `ask`, but the answer must be complete. */
export async function succeed(
  subject: Subject,
  question: Question = {},
): Promise<Outcome & { readonly finish: Finish }> {
  const outcome = await ask(subject, question);
  const { finish } = outcome;
  if (outcome.error !== undefined || finish === undefined) {
    throw new assert.AssertionError({
      message: `expected an answer, got ${String(outcome.error)}`,
    });
  }
  return { ...outcome, finish };
}

/** Like `ask`, but it must fail with a SignalboxError. */
export async function fail(
  subject: Subject,
  question: Question = {},
): Promise<Outcome & { readonly error: SignalboxError }> {
  const outcome = await ask(subject, question);
  const { error } = outcome;
  if (!isSignalboxError(error)) {
    const what = error === undefined ? 'it succeeded' : `it threw ${String(error)}`;
    throw new assert.AssertionError({ message: `expected a SignalboxError, but ${what}` });
  }
  return { ...outcome, error };
}

/** The last request that the vendor received. */
export function lastRequest({ simulator }: Subject): LoggedRequest {
  const entry = simulator.log.at(-1);
  if (entry === undefined) throw new assert.AssertionError({ message: 'no request was sent' });
  return entry;
}

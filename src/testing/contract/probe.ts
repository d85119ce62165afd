import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isSignalboxError, type SignalboxError } from '../../errors.ts';
import type { Part } from '../../protocol/message.ts';
import type { Provider, Watch } from '../../protocol/provider.ts';
import type { ProviderRequest, Transfer } from '../../protocol/request.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { LoggedRequest } from '../simulator/exchange.ts';
import type { SimulatedProvider } from '../simulator/server.ts';
import { assertGrammar } from './grammar.ts';
import type { WireFacts } from './wire-facts.ts';

/** An adapter under test, and the vendor that it is pointed at. */
export type Subject = {
  readonly provider: Provider;
  /** A second one, as the factory makes it, for what is decided when a client is made. */
  readonly another: () => Promise<Provider>;
  readonly model: string;
  readonly simulator: SimulatedProvider;
  readonly facts: WireFacts;
};

/** One case of the suite. `run` rejects with an `AssertionError` when the adapter breaks the contract. */
export type ContractCase = { readonly name: string; readonly run: () => Promise<void> };

/** A case before it knows its adapter. */
export type CaseBody = (subject: Subject) => Promise<void>;

type Finish = Extract<ProviderPart, { type: 'finish' }>;

/** What came of one `send`. */
export type Outcome = {
  readonly parts: readonly ProviderPart[];
  readonly content: readonly Part[];
  readonly text: string;
  readonly finish: Finish | undefined;
  readonly error: unknown;
};

type Question = {
  readonly request?: Partial<ProviderRequest>;
  readonly transfer?: Transfer;
  readonly controller?: AbortController;
  readonly watch?: Watch;
  readonly keepRaw?: boolean;
  /** Looks at each part as it comes; `'leave'` stops reading. */
  readonly onPart?: (part: ProviderPart) => 'leave' | undefined;
};

/** In the prompt of every request: must never be seen in an error's message. */
export const prompt = 'prompt-marker-5d1c: say something in German.';

/** Long enough for several pieces on every wire, with characters of one to four bytes. */
export const germanText = 'Grüße an alle in der schönen Stadt Zürich 🎉🎉';

export const deaf: Watch = {
  connected: () => undefined,
  bytes: () => undefined,
  limits: () => undefined,
};

const patienceMs = 5_000;

/** Rejects when `promise` takes so long that it must be hanging. */
export async function soon<Value>(what: string, promise: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new assert.AssertionError({ message: `${what}: not within ${patienceMs} ms` })),
      patienceMs,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves once `condition` holds. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const startedAt = performance.now();
  while (!condition()) {
    assert.ok(performance.now() - startedAt < patienceMs, `${what}: not within ${patienceMs} ms`);
    await nextTurn();
  }
}

/** Older Nodes' `fetch` itself leaves one until its request is collected. */
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

export function requestOf(subject: Subject, more: Partial<ProviderRequest> = {}): ProviderRequest {
  const messages = [{ role: 'user' as const, content: [{ type: 'text' as const, text: prompt }] }];
  // Frozen, so that an adapter that writes on its request is found out.
  return freeze({ provider: 'contract', model: subject.model, messages, ...more });
}

/** Sends one request and reads it to its end, whatever that is. Checks what holds for every end. */
export async function ask(subject: Subject, question: Question = {}): Promise<Outcome> {
  const { provider, simulator } = subject;
  const controller = question.controller ?? new AbortController();
  const { signal } = controller;
  const sentBefore = simulator.log.length;
  const parts: ProviderPart[] = [];
  let error: unknown;
  let left = false;
  const read = async (): Promise<void> => {
    const prepared = provider.prepare(requestOf(subject, question.request));
    for await (const batch of prepared.send({
      signal,
      transfer: question.transfer ?? 'stream',
      keepRaw: question.keepRaw ?? false,
      watch: question.watch ?? deaf,
    })) {
      assert.ok(batch.length > 0, 'a batch holds at least one part');
      for (const part of batch) {
        parts.push(part);
        left = question.onPart?.(part) === 'leave';
        if (left) return;
      }
    }
  };
  await soon(
    'the end of the answer',
    read().catch((thrown: unknown) => {
      error = thrown;
    }),
  ).catch((late: unknown) => {
    // So that a request that hangs does not live on into the next case.
    controller.abort();
    throw late;
  });
  if (error instanceof assert.AssertionError) throw error;
  assert.ok(simulator.log.length - sentBefore <= 1, 'one send() is at most one HTTP request');
  const listeners = getEventListeners(signal, 'abort').length;
  assert.ok(listeners <= (await listenersLeftByFetch()), 'nothing listens on the signal any more');
  const outcome = { ...summarize(parts), error };
  assertGrammar(outcome, left);
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

/** As `ask`, for what must be answered. */
export async function succeed(
  subject: Subject,
  question: Question = {},
): Promise<Outcome & { readonly finish: Finish }> {
  const outcome = await ask(subject, question);
  const { finish } = outcome;
  if (outcome.error !== undefined || finish === undefined) {
    throw new assert.AssertionError({ message: `no answer, but ${String(outcome.error)}` });
  }
  return { ...outcome, finish };
}

/** As `ask`, for what must fail; with the error. */
export async function fail(
  subject: Subject,
  question: Question = {},
): Promise<Outcome & { readonly error: SignalboxError }> {
  const outcome = await ask(subject, question);
  const { error } = outcome;
  if (!isSignalboxError(error)) {
    const what = error === undefined ? 'it succeeded' : `it threw ${String(error)}`;
    throw new assert.AssertionError({ message: `wanted a SignalboxError, but ${what}` });
  }
  return { ...outcome, error };
}

/** The last request that the vendor saw. */
export function lastRequest({ simulator }: Subject): LoggedRequest {
  const entry = simulator.log.at(-1);
  if (entry === undefined) throw new assert.AssertionError({ message: 'no request was sent' });
  return entry;
}

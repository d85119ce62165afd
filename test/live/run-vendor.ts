import { AssertionError } from 'node:assert';
import { setTimeout as wait } from 'node:timers/promises';
import { isSignalboxError, type SignalboxError } from '../../src/errors.ts';
import type { PreparedCall, Provider } from '../../src/protocol/provider.ts';
import type { Usage } from '../../src/protocol/usage.ts';
import {
  type Outcome,
  type Reading,
  readAnswer,
  requestOf,
} from '../../src/testing/contract/probe.ts';
import {
  type LiveAnswer,
  type LiveCase,
  type LiveSubject,
  liveCases,
  type ModelFacts,
} from './cases.ts';
import { describeFailure } from './describe-failure.ts';
import { Prices } from './prices.ts';
import { CapReached, type Spending } from './spending.ts';
import type { Candidate } from './vendors.ts';

export type CaseResult = {
  readonly name: string;
  readonly status: 'passed' | 'failed' | 'skipped';
  /** Why it failed or was skipped, or what the passing case had to wait for. */
  readonly reason?: string;
  readonly durationMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** What was billed; `null` if a price or count is unknown. */
  readonly usd: number | null;
};

export type VendorResult = {
  readonly vendor: string;
  readonly model: string;
  readonly cases: readonly CaseResult[];
};

/** Includes loading a model into memory. */
const hangMs = 120_000;

/** Failures that every further request would repeat, unless an earlier one has worked. */
const hopelessCodes: readonly string[] = [
  'auth',
  'permission',
  'quota_exhausted',
  'connection',
  'config',
  'model_not_found',
];

/** Temporary failures. The case is run once more. */
const temporaryCodes: readonly string[] = ['rate_limited', 'overloaded'];
const defaultWaitMs = 5_000;
const maxWaitMs = 60_000;

/** What the requests of one case used. */
class Meter {
  inputTokens = 0;
  outputTokens = 0;
  usd: number | null = 0;

  add(usage: Usage | undefined, usd: number | null): void {
    this.inputTokens += usage?.inputTokens ?? 0;
    this.outputTokens += usage?.outputTokens ?? 0;
    this.usd = this.usd === null || usd === null ? null : this.usd + usd;
  }
}

/** Failures of requests that the vendor may have answered, and billed. */
const billedCodes: readonly string[] = [
  'aborted',
  'timeout',
  'stream_interrupted',
  'invalid_response',
];

/** Whether the request was not sent or was rejected, so that it is not billed. */
function isUnbilled({ error, parts }: Outcome): boolean {
  return isSignalboxError(error) && parts.length === 0 && !billedCodes.includes(error.code);
}

/** A vendor that is ready to run the cases. */
export type PreparedVendor = {
  readonly candidate: Candidate;
  readonly provider: Provider;
  readonly facts: ModelFacts;
  readonly prices: Readonly<Record<'chat' | 'embedding', Prices>>;
};

/** @throws SignalboxError `config` for bad settings or a missing SDK */
export async function prepareVendor(candidate: Candidate): Promise<PreparedVendor> {
  const { vendor, model, connection, environment } = candidate;
  const { embeddingModel, variables, reasons = false } = vendor;
  const provider = vendor.create(connection, environment);
  const prices = {
    chat: new Prices(vendor, model, provider.priceList),
    embedding: new Prices(vendor, embeddingModel ?? model, provider.priceList),
  };
  await Promise.all([provider.preload(), prices.chat.load(), prices.embedding.load()]);
  const facts = {
    capabilities: provider.capabilities(model),
    reasons,
    hasKey: variables.length > 0,
    hasEmbeddings: embeddingModel !== undefined && provider.prepareEmbedding !== undefined,
    isListed: prices.chat.isListed,
  };
  return { candidate, provider, facts, prices };
}

/** What all cases that apply cost at most. */
export function boundUsdOf({ facts, prices }: PreparedVendor): number {
  return liveCases
    .filter(({ skip }) => skip?.(facts) === undefined)
    .map(({ requests, maxOutputTokens, model = 'chat' }) => {
      return requests * prices[model].boundUsd(maxOutputTokens);
    })
    .reduce((sum, each) => sum + each, 0);
}

/** The subject of one case: sends its requests within the cap and counts them. */
function subjectOf(
  { candidate, provider, facts, prices: pricesByModel }: PreparedVendor,
  { maxOutputTokens, model: kind = 'chat' }: LiveCase,
  spending: Spending,
  meter: Meter,
): LiveSubject {
  const { vendor, model, connection, environment } = candidate;
  const { embeddingModel } = vendor;
  const prices = pricesByModel[kind];

  const send = async (prepare: () => PreparedCall, reading: Reading): Promise<Outcome> => {
    const boundUsd = prices.boundUsd(maxOutputTokens);
    spending.check(boundUsd);
    let outcome: Outcome | undefined;
    try {
      outcome = await readAnswer(prepare, { hangMs, ...reading });
      return outcome;
    } finally {
      const usage = outcome?.finish?.usage;
      if (outcome === undefined || !isUnbilled(outcome)) {
        spending.add(usage === undefined ? boundUsd : prices.countedUsd(usage));
        meter.add(usage, usage === undefined ? null : prices.usd(usage, outcome?.finish));
      }
    }
  };
  const complete = (outcome: Outcome): LiveAnswer => {
    const { error, finish } = outcome;
    if (error !== undefined) throw error;
    if (finish === undefined) throw new AssertionError({ message: 'the answer has no end' });
    return { ...outcome, finish, usd: finish.usage ? prices.usd(finish.usage, finish) : null };
  };
  const sendQuestion: LiveSubject['send'] = ({ request, provider: other, ...reading }) => {
    const whole = requestOf({ model }, { maxOutputTokens, ...request });
    return send(() => (other ?? provider).prepare(whole), reading);
  };
  return {
    ...facts,
    withKey: (apiKey) => vendor.create({ ...connection, apiKey }, environment),
    send: sendQuestion,
    ask: async (question) => complete(await sendQuestion(question)),
    embed: async (values) => {
      const prepare = (): PreparedCall => {
        const request = { provider: 'contract', model: embeddingModel ?? '', values };
        const prepared = provider.prepareEmbedding?.(request);
        if (prepared === undefined) throw new TypeError('this adapter has no embeddings');
        return prepared;
      };
      return complete(await send(prepare, { transfer: 'unary' }));
    },
  };
}

function waitMsAfter(error: unknown): number | undefined {
  if (!isSignalboxError(error) || !temporaryCodes.includes(error.code)) return undefined;
  const waitMs = error.retryAfterMs ?? defaultWaitMs;
  return waitMs <= maxWaitMs ? waitMs : undefined;
}

type CaseRun = { readonly result: CaseResult; readonly error?: unknown };

/** Runs one case, and once more when the vendor asks to wait. */
async function runCase(
  prepared: PreparedVendor,
  liveCase: LiveCase,
  spending: Spending,
): Promise<CaseRun> {
  const { name } = liveCase;
  const meter = new Meter();
  const startedAt = performance.now();
  const resultOf = (status: CaseResult['status'], reason?: string): CaseResult => ({
    name,
    status,
    ...(reason !== undefined && { reason }),
    durationMs: Math.round(performance.now() - startedAt),
    inputTokens: meter.inputTokens,
    outputTokens: meter.outputTokens,
    usd: meter.usd,
  });
  const skipped = liveCase.skip?.(prepared.facts);
  if (skipped !== undefined) return { result: resultOf('skipped', skipped) };
  const subject = subjectOf(prepared, liveCase, spending, meter);
  let waited: string | undefined;
  try {
    await liveCase.run(subject).catch(async (error: unknown) => {
      const waitMs = waitMsAfter(error);
      if (waitMs === undefined) throw error;
      waited = `after ${(error as SignalboxError).code}, waited ${waitMs} ms`;
      await wait(waitMs);
      await liveCase.run(subject);
    });
    return { result: resultOf('passed', waited) };
  } catch (error) {
    if (error instanceof CapReached) return { result: resultOf('skipped', error.message) };
    return { result: resultOf('failed', describeFailure(error, prepared.candidate)), error };
  }
}

const nothingSpent = { durationMs: 0, inputTokens: 0, outputTokens: 0, usd: 0 } as const;

/** Runs all cases at one vendor, one after another. After a failure that all would share, the rest is skipped. */
export async function runVendor(
  prepared: PreparedVendor,
  spending: Spending,
  onCase: (result: CaseResult) => void,
): Promise<VendorResult> {
  const { vendor, model } = prepared.candidate;
  const cases: CaseResult[] = [];
  let hopeless: string | undefined;
  for (const liveCase of liveCases) {
    const { name } = liveCase;
    const run: CaseRun =
      hopeless === undefined
        ? await runCase(prepared, liveCase, spending)
        : { result: { ...nothingSpent, name, status: 'skipped', reason: hopeless } };
    cases.push(run.result);
    onCase(run.result);
    const hasPassed = cases.some(({ status }) => status === 'passed');
    if (!hasPassed && isSignalboxError(run.error) && hopelessCodes.includes(run.error.code)) {
      hopeless = `not tried after ${run.error.code}`;
    }
  }
  return { vendor: vendor.name, model, cases };
}

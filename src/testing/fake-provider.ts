import { isSignalboxError, SignalboxError } from '../errors.ts';
import { everyElement } from '../internal/caller-data.ts';
import { complianceForm, isCompliance } from '../internal/compliance.ts';
import type { ErrorCode } from '../protocol/error-code.ts';
import type { Wire } from '../protocol/message.ts';
import type { AttemptContext, Capability, Provider } from '../protocol/provider.ts';
import type { ProviderRequest, Transfer } from '../protocol/request.ts';
import type { Compliance } from '../protocol/requires.ts';
import type { Runtime } from '../protocol/runtime.ts';
import type { ProviderPart } from '../protocol/stream-part.ts';
import { systemRuntime } from '../runtime.ts';
import { checkOptions, invalidArgument, isObject } from './check-arguments.ts';
import {
  defaultFakeAnswer,
  type FakeAnswer,
  fakeChunks,
  fakeContent,
  fakeFinish,
} from './fake-answer.ts';

/** An attempt that fails. */
export type FakeFailure = {
  readonly error: ErrorCode | SignalboxError;
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
  /** Text that arrives before the failure. @default none */
  readonly chunks?: readonly string[] | undefined;
  /** Milliseconds before anything happens. @default 0 */
  readonly firstTokenDelayMs?: number | undefined;
};

/** The outcome of one attempt. A string is an answer with that text. */
export type FakeEntry = string | FakeAnswer | FakeFailure;

/**
 * One entry for all attempts; a list with one entry per attempt, whose last entry repeats; or a function of the request
 * and the attempt's number (from 1), which may return `undefined` for the default answer.
 */
export type FakeScript =
  | FakeEntry
  | readonly FakeEntry[]
  | ((
      request: ProviderRequest,
      attempt: number,
    ) => FakeEntry | undefined | Promise<FakeEntry | undefined>);

export type FakeProviderSettings = {
  /** The clock of the delays. @default the system's */
  readonly runtime?: Runtime | undefined;
  /** @default all */
  readonly capabilities?:
    | readonly Capability[]
    | ((model: string) => readonly Capability[] | ReadonlySet<Capability>)
    | undefined;
  /** The vendor's name in price lists. @default none: set `prices` in the router's configuration */
  readonly priceList?: string | undefined;
  /** What the provider declares, for `requires`. @default nothing */
  readonly compliance?: Compliance | undefined;
  /** @default 'fake' */
  readonly wire?: Wire | undefined;
};

/** One attempt that reached the fake. */
export type FakeCall = {
  readonly request: ProviderRequest;
  readonly transfer: Transfer;
  /** Epoch milliseconds by the fake's runtime. */
  readonly at: number;
  /** How it ended. `aborted` includes a reader that stopped reading. */
  readonly outcome: 'running' | 'ok' | 'error' | 'aborted';
};

export interface FakeProvider extends Provider {
  /** All attempts in order, including their prompts. */
  readonly calls: readonly FakeCall[];
}

const allCapabilities: readonly Capability[] = [
  'vision',
  'audio',
  'files',
  'tools',
  'structured-output',
  'prefill',
];

function isList(script: FakeScript): script is readonly FakeEntry[] {
  return Array.isArray(script);
}

function isEntry(entry: unknown): entry is FakeEntry {
  return typeof entry === 'string' || isObject(entry);
}

/** @throws SignalboxError `config` for an invalid script */
function checkScript(script: unknown): void {
  const isList = Array.isArray(script) && everyElement(script, isEntry);
  if (script === undefined || typeof script === 'function' || isList || isEntry(script)) return;
  throw invalidArgument('fakeProvider() script', entryKinds);
}

const entryKinds =
  'a string, an answer, a failure, a list of these, or a function that returns one';

async function entryOf(
  script: FakeScript | undefined,
  request: ProviderRequest,
  attempt: number,
): Promise<FakeAnswer | FakeFailure> {
  let entry: FakeEntry | undefined;
  if (typeof script === 'function') entry = await script(request, attempt);
  else if (script !== undefined && isList(script)) entry = script[attempt - 1] ?? script.at(-1);
  else entry = script;
  if (entry !== undefined && !isEntry(entry)) {
    throw invalidArgument('the return value of the script of fakeProvider()', entryKinds);
  }
  return typeof entry === 'string' ? { text: entry } : (entry ?? defaultFakeAnswer(request));
}

function errorOf({ error, status, retryAfterMs }: FakeFailure): SignalboxError {
  const more = {
    ...(status !== undefined && { status }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
  if (typeof error === 'string') return new SignalboxError(error, `${error} (fake)`, more);
  if (!isSignalboxError(error)) {
    throw invalidArgument('error of fakeProvider()', 'a code or a SignalboxError');
  }
  return error.with(more);
}

/** After how many chunks an answer is interrupted, and how. */
type Interruption = { readonly after: number; readonly run: () => Promise<void> | never };

function interruptionOf(
  answer: FakeAnswer,
  failure: SignalboxError | undefined,
  stall: () => Promise<void>,
): Interruption | undefined {
  const fail = (error: SignalboxError) => (): never => {
    throw error;
  };
  if (failure !== undefined) {
    return { after: answer.chunks?.length ?? 0, run: fail(failure) };
  }
  if (answer.cutAfter !== undefined) {
    const cut = new SignalboxError('stream_interrupted', 'the answer was interrupted (fake)');
    return { after: answer.cutAfter, run: fail(cut) };
  }
  return answer.stallAfter === undefined ? undefined : { after: answer.stallAfter, run: stall };
}

/** Plays one entry. Checks the attempt's signal before each part and during each wait. */
async function* play(
  entry: FakeAnswer | FakeFailure,
  request: ProviderRequest,
  context: AttemptContext,
  runtime: Runtime,
): AsyncGenerator<ProviderPart, void> {
  const { signal, watch } = context;
  const pause = async (ms = 0): Promise<void> => {
    if (ms > 0) await runtime.sleep(ms, signal);
    signal.throwIfAborted();
  };
  const stall = (): Promise<void> => runtime.sleep(Number.POSITIVE_INFINITY, signal);
  const failure = 'error' in entry ? errorOf(entry) : undefined;
  const answer: FakeAnswer = 'error' in entry ? { chunks: entry.chunks ?? [] } : entry;
  const chunks = fakeChunks(answer, failure === undefined ? context.transfer : 'stream');
  const interruption = interruptionOf(answer, failure, stall);

  watch.connected();
  if (answer.hang === true) await stall();
  await pause(entry.firstTokenDelayMs);
  if (failure !== undefined && chunks.length === 0) throw failure;
  watch.bytes();
  const { servedModel = request.model, requestId } = answer;
  yield { type: 'open', servedModel, requestId };
  for (const warning of answer.warnings ?? []) yield { type: 'warning', warning };

  let chunkCount = 0;
  for (const part of fakeContent(answer, chunks)) {
    if (interruption !== undefined && chunkCount >= interruption.after) await interruption.run();
    const isChunk = part.type === 'text-delta';
    await pause(isChunk && chunkCount > 0 ? answer.chunkDelayMs : 0);
    if (isChunk) chunkCount++;
    watch.bytes();
    yield part;
  }
  // An answer with fewer chunks is interrupted here.
  await interruption?.run();
  await pause();
  yield fakeFinish(answer, request);
}

/**
 * A scripted provider for tests of code that uses a router, without a network, a key or a vendor's SDK. It fulfils the
 * provider contract: one `finish` and nothing after it, errors that are `SignalboxError`s, an end as soon as the signal
 * aborts. It does not read prompts, count real tokens or check requests.
 *
 * @default script answers with an object that fits the call's schema, or a line that names the target
 */
export function fakeProvider(
  script?: FakeScript,
  settings: FakeProviderSettings = {},
): FakeProvider {
  checkScript(script);
  checkOptions('fakeProvider()', settings, [
    'runtime',
    'capabilities',
    'priceList',
    'compliance',
    'wire',
  ]);
  const { runtime = systemRuntime, capabilities = allCapabilities } = settings;
  const { priceList, compliance } = settings;
  if (!isObject(runtime)) throw invalidArgument('fakeProvider().runtime', 'a runtime');
  if (typeof capabilities !== 'function' && !Array.isArray(capabilities)) {
    throw invalidArgument('fakeProvider().capabilities', 'a list, or a function that returns one');
  }
  if (compliance !== undefined && !isCompliance(compliance)) {
    throw invalidArgument('fakeProvider().compliance', complianceForm);
  }
  const calls: { -readonly [Field in keyof FakeCall]: FakeCall[Field] }[] = [];
  return {
    wire: settings.wire ?? 'fake',
    ...(priceList !== undefined && { priceList }),
    ...(compliance !== undefined && { compliance: { ...compliance } }),
    calls,
    capabilities: (model) =>
      new Set(typeof capabilities === 'function' ? capabilities(model) : capabilities),
    preload: () => Promise.resolve(),
    prepare: (request) => ({
      warnings: [],
      async *send(context) {
        context.signal.throwIfAborted();
        const call: (typeof calls)[number] = {
          request,
          transfer: context.transfer,
          at: runtime.now(),
          outcome: 'running',
        };
        const attempt = calls.push(call);
        try {
          const entry = await entryOf(script, request, attempt);
          for await (const part of play(entry, request, context, runtime)) {
            // The reader may stop after this part.
            if (part.type === 'finish') call.outcome = 'ok';
            yield [part];
          }
        } catch (error) {
          call.outcome = context.signal.aborted ? 'aborted' : 'error';
          throw error;
        } finally {
          if (call.outcome === 'running') call.outcome = 'aborted';
        }
      },
    }),
  };
}

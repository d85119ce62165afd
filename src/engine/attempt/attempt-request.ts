import { defaults } from '../../config/defaults.ts';
import { isSignalboxError, SignalboxError, summarizeError } from '../../errors.ts';
import type { ErrorCode } from '../../protocol/error-code.ts';
import type { NormalMessage, TextPart } from '../../protocol/message.ts';
import type { PluginAttemptResult } from '../../protocol/plugin.ts';
import type { AttemptContext, PreparedCall, Provider } from '../../protocol/provider.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { Usage } from '../../protocol/usage.ts';
import type { AttemptPlan } from '../core/attempt-plan.ts';
import type { Collected } from '../core/collected.ts';
import {
  type Admission,
  capabilitiesOf,
  keyLabel,
  type Loading,
  targetLabel,
} from '../core/engine.ts';
import { requestTokens } from '../core/expected-cost.ts';
import { untilEnded } from '../core/scope.ts';
import { inputTokensOf } from '../core/token-estimate.ts';
import type { AttemptParts } from './attempt-stream.ts';
import type { Continuation, Interruption, Run } from './run.ts';

/** What one attempt sends. */
export type AttemptRequest = {
  readonly prepared: PreparedCall;
  /** What is sent besides the call's own messages. */
  readonly turns: readonly NormalMessage[];
  /** All that is sent. */
  readonly messages: readonly NormalMessage[];
  /** What the answer continues. */
  readonly continuation?: Continuation;
};

/** The prepared call with the warning that its limit of tokens was lowered. */
function withLowered({ options }: AttemptPlan, prepared: PreparedCall): PreparedCall {
  const message = `maxOutputTokens was lowered to ${options.maxOutputTokens}, the limit of this model`;
  const warning = { code: 'adjusted-param', param: 'maxOutputTokens', message } as const;
  return {
    warnings: [...prepared.warnings, warning],
    send: (context) => prepared.send(context),
  };
}

const droppedCodes: readonly string[] = ['dropped-param', 'dropped-part'];

/**
 * Puts the request into the vendor's format. Nothing is sent yet.
 * @throws SignalboxError `unsupported` when the target would have to drop something and `onUnsupported` forbids that
 */
export function prepareAttempt(
  plan: AttemptPlan,
  repair: readonly NormalMessage[],
  options: AttemptPlan['options'] = plan.options,
): PreparedCall {
  const { call, target, provider } = plan;
  const made = call.task.prepare(provider, { target, options, repair });
  const prepared = plan.isOutputLowered && call.kind === 'chat' ? withLowered(plan, made) : made;
  const onUnsupported = options.onUnsupported ?? defaults.onUnsupported;
  const dropped = prepared.warnings.find((warning) => droppedCodes.includes(warning.code));
  if (dropped === undefined || onUnsupported === 'warn') return prepared;
  throw new SignalboxError(
    'unsupported',
    `lacks ${dropped.param ?? 'something in the request'}: ${dropped.message}`,
    { target: target.id },
  );
}

/** Why it is not sent: while a retry waited for its delay, the target may have been isolated or its circuit opened. */
export function refusalOf({ engine, call, chain }: Run, plan: AttemptPlan): string | undefined {
  const { target, tries } = plan;
  if (engine.registry.isolated.has(target.id)) return 'isolated';
  if (tries <= 1) return undefined;
  const isOptional = call.tier.whenAllOpen === 'fail-fast' || chain.othersFree(plan, 'connection');
  // The state that the chain asks, which is another one after a fork's target was pruned: the two must agree, or the chain
  // would hand out for ever what is refused here.
  return isOptional ? engine.registry.target(target.id).circuit.check()?.reason : undefined;
}

/** What was used so far, for a vendor that has not reported it. */
export function estimatedUsage(
  { call, options }: AttemptPlan,
  { turns }: AttemptRequest,
  collected: Collected,
): Usage {
  const ofTurns = turns.length === 0 ? 0 : inputTokensOf(turns);
  return collected.estimate(requestTokens(call.task, options.system) + ofTurns);
}

/** Sends the request through the plugins. `ended` resolves with the line of the attempt in the trail. */
export function sendInLayers(
  { target, call, options, provider }: AttemptPlan,
  prepared: PreparedCall,
  context: AttemptContext,
  known: { readonly attempt: number; readonly ended: Promise<PluginAttemptResult> },
): AsyncIterable<readonly ProviderPart[]> {
  const send = () => prepared.send(context);
  if (call.layers === undefined) return send();
  const { wire, platform, priceList } = provider;
  const vendor = platform ?? priceList;
  return call.layers.send(
    {
      target: target.id,
      provider: target.provider,
      model: target.model,
      ...keyLabel(target),
      ...known,
      ...(vendor !== undefined && { vendor }),
      wire,
      transfer: context.transfer,
      options,
      signal: context.signal,
      connected: () => context.watch.connected(),
    },
    send,
  );
}

export type Lowered = NonNullable<Extract<Admission, { type: 'reserved' }>['lowered']>;

/** The same request with less room for its answer. */
export function withLessOutput(
  request: AttemptRequest,
  plan: AttemptPlan,
  { maxOutputTokens, warning }: Lowered,
): AttemptRequest {
  const prepared = prepareAttempt(plan, request.turns, { ...plan.options, maxOutputTokens });
  const warnings = [...prepared.warnings, warning];
  return { ...request, prepared: { warnings, send: (context) => prepared.send(context) } };
}

async function load(run: Run, plan: AttemptPlan, work: Promise<unknown>): Promise<void> {
  try {
    await untilEnded(work, run.scope);
  } catch (error) {
    if (!isSignalboxError(error)) throw error;
    const { target } = plan;
    const what = error === run.scope.reason ? 'not sent, its SDK was still loading; ' : '';
    const message = `${targetLabel(target)}: ${what}${error.message}`;
    throw error.with({ target: target.id, message });
  }
}

/**
 * Waits for the vendor's SDK and the price list, which are loaded once in a process. `undefined` when both are loaded.
 * Without prices the cost of the answer is unknown, which is no failure.
 * @throws SignalboxError `config` when the SDK cannot be loaded, or the reason for which the call ended
 */
export function loadFor(run: Run, plan: AttemptPlan): Promise<void> | undefined {
  const { engine } = run;
  const sdk = engine.loading.load(plan.target.provider);
  const prices = engine.pricing.load(plan.priced);
  if (sdk === undefined && prices === undefined) return undefined;
  return load(run, plan, Promise.all([sdk, prices?.catch(() => undefined)]));
}

/** An attempt whose answer another one may continue. */
type Interrupted = {
  readonly plan: AttemptPlan;
  readonly collected: Collected;
  readonly continues: boolean;
  readonly answerCheck: { readonly invalidCall: object | undefined };
};

export function interruptionOf(attempt: Interrupted, error: SignalboxError): Interruption {
  const { collected, plan, answerCheck } = attempt;
  return {
    from: plan.target.id,
    error: summarizeError(error),
    partial: collected.partial(plan.target.id),
    // After an invalid tool call the answer restarts, with the reason as a hint.
    isText: collected.isText && answerCheck.invalidCall === undefined,
  };
}

/**
 * What the target continues; `undefined` when its answer restarts: because the tier wants that, because a tool call or an
 * object cannot be continued, or because the model is not known to accept a prefilled turn.
 */
export function continuationFor(run: Run, plan: AttemptPlan): Continuation | undefined {
  const { call, interruption } = run;
  if (interruption === undefined || !interruption.isText) return undefined;
  if (call.tier.midStream !== 'continue' || call.options.schema !== undefined) return undefined;
  if (plan.rejectedPrefill) return undefined;
  const { content } = interruption.partial;
  const last = content.at(-1);
  if (last?.type !== 'text' || last.text.trim() === '') return undefined;
  if (!capabilitiesOf(plan.provider, plan.target).has('prefill')) return undefined;
  return { content: content.slice(0, -1), text: last.text };
}

/** The turn that the model continues. Vendors that accept one reject trailing white space. */
export function prefillOf({ content, text }: Continuation): NormalMessage {
  const before = content.filter((part) => part.type === 'text');
  return { role: 'assistant', content: [...before, { type: 'text', text: text.trimEnd() }] };
}

const prefillErrors: readonly ErrorCode[] = ['invalid_request', 'unsupported'];

/** Whether the vendor rejected the prefilled turn. */
export function rejectsPrefill(attempt: Interrupted, error: SignalboxError): boolean {
  return attempt.continues && !attempt.collected.hasStarted && prefillErrors.includes(error.code);
}

/** Removes leading white space that the text before already ends with: it was not sent, so the model may repeat it. */
function withoutRepeatedSpace(before: string): (delta: string) => string {
  let sent = before.slice(before.trimEnd().length);
  return (delta) => {
    let at = 0;
    while (sent !== '' && delta[at] === sent[0]) {
      sent = sent.slice(1);
      at += 1;
    }
    if (at < delta.length) sent = '';
    return delta.slice(at);
  };
}

/** Parts that may come before the text continues. */
function isPreamble(part: ProviderPart): boolean {
  return (
    part.type === 'open' ||
    part.type === 'usage' ||
    part.type === 'warning' ||
    part.type === 'reasoning-delta' ||
    (part.type === 'part-end' && part.part.type === 'reasoning')
  );
}

function joined(before: string, part: TextPart): TextPart {
  const rest = withoutRepeatedSpace(before)(part.text);
  const by = before.length + rest.length - part.text.length;
  const citations = part.citations?.map(({ start, end, ...citation }) => ({
    ...citation,
    ...(start !== undefined && { start: start + by }),
    ...(end !== undefined && { end: end + by }),
  }));
  return { ...part, text: before + rest, ...(citations !== undefined && { citations }) };
}

/** A part as it is passed on after the interrupted text; none when it only repeats the white space at its end. */
function createJoiner(text: string): (part: ProviderPart) => readonly ProviderPart[] {
  const join = withoutRepeatedSpace(text);
  let isJoined = false;
  return (part) => {
    if (isJoined || isPreamble(part)) return [part];
    if (part.type === 'text-delta') {
      const delta = join(part.delta);
      return delta === '' ? [] : [{ ...part, delta }];
    }
    isJoined = true;
    if (part.type === 'part-end' && part.part.type === 'text') {
      return [{ type: 'part-end', part: joined(text, part.part) }];
    }
    // The model had nothing to add: the text ends where it was interrupted.
    return [{ type: 'part-end', part: { type: 'text', text } }, part];
  };
}

/**
 * The parts of an answer that continues a text: its first text part becomes the whole of both. `see` is called with each
 * before it is passed on.
 */
export function joinedTo(
  { text }: Continuation,
  parts: AttemptParts,
  see: (part: ProviderPart) => void,
): AttemptParts {
  const join = createJoiner(text);
  function seen(part: ProviderPart): void {
    try {
      see(part);
    } catch (error) {
      parts.leave();
      throw error;
    }
  }
  async function next(): Promise<readonly ProviderPart[] | undefined> {
    for (let batch = await parts.next(); batch !== undefined; batch = await parts.next()) {
      const joinedBatch = batch.flatMap(join);
      for (const part of joinedBatch) seen(part);
      if (joinedBatch.length > 0) return joinedBatch;
    }
    return undefined;
  }
  return { next, leave: () => parts.leave() };
}

async function preload(name: string, provider: Provider | undefined): Promise<void> {
  try {
    await provider?.preload();
  } catch (cause) {
    if (isSignalboxError(cause)) throw cause;
    const message = `provider "${name}" could not be loaded; see cause`;
    throw new SignalboxError('config', message, { cause });
  }
}

export function createLoading(providers: ReadonlyMap<string, Provider>): Loading {
  const loaded = new Set<string>();
  const underWay = new Map<string, Promise<void>>();
  return {
    load(name) {
      if (loaded.has(name)) return undefined;
      const known = underWay.get(name);
      if (known !== undefined) return known;
      const loading = preload(name, providers.get(name)).then(
        () => {
          loaded.add(name);
          underWay.delete(name);
        },
        (error: unknown) => {
          underWay.delete(name);
          throw error;
        },
      );
      underWay.set(name, loading);
      return loading;
    },
  };
}

import { defaults } from '../config/defaults.ts';
import type { ResolvedTarget } from '../config/resolve.ts';
import type { SignalboxError } from '../errors.ts';
import type { Completion } from '../protocol/completion.ts';
import type { EventName } from '../protocol/events.ts';
import type { NormalMessage } from '../protocol/message.ts';
import type { PreparedCall } from '../protocol/provider.ts';
import type { Reasoning } from '../protocol/request.ts';
import type { ProviderPart } from '../protocol/stream-part.ts';
import type { Usage } from '../protocol/usage.ts';
import type { Release } from '../resilience/concurrency.ts';
import type { Clocks } from '../resilience/deadline.ts';
import type { CircuitChange, Outcome, Permit } from '../resilience/health.ts';
import { runAttempt } from './attempt.ts';
import { type Collected, createCollected, estimateUsage } from './collect.ts';
import { countsAsFailure, type Decision } from './decide.ts';
import { type Call, type Engine, pricedTarget, tagsFor } from './engine.ts';
import { heldUnder, toldKey } from './keys.ts';
import { optionsFor } from './request.ts';
import type { Scope } from './scope.ts';
import { toCompletion } from './to-completion.ts';
import { failureOf, type Trail } from './trail.ts';
import { withhold } from './withhold.ts';

/** One attempt and all that hangs on it: its place in the queue and the circuit, its parts, its bill. */
export interface Session {
  readonly target: ResolvedTarget;
  readonly collected: Collected;
  /** Waits for a place, then hands out the parts in order. Leaving early closes the socket. */
  start(): Promise<AsyncGenerator<ProviderPart, void>>;
  /** Makes the completion of a finished answer and checks it. Bills it, whatever the check says. */
  conclude(): Promise<Completion>;
  /** Books a success: circuit, statistics, trail. */
  succeed(completion: Completion): Completion;
  /** Books a failure on the target's health, and bills what the vendor reported. The verdict comes after. */
  fail(error: SignalboxError): Promise<SignalboxError>;
  /** Writes the failure's line once the verdict is known. */
  judge(error: SignalboxError, decision: Decision): void;
}

const patientEfforts: readonly Reasoning['effort'][] = ['medium', 'high', 'xhigh', 'max'];

/** The clocks of an attempt: what was set, and defaults that depend on what was asked. */
function clocksFor(call: Call, target: ResolvedTarget): Clocks {
  const set = { ...call.tier.timeouts, ...call.options.timeouts };
  const options = optionsFor(call, target);
  const usual = patientEfforts.includes(options.reasoning?.effort)
    ? defaults.reasoningFirstTokenMs
    : defaults.firstTokenMs;
  return {
    connectMs: set.connectMs ?? defaults.connectMs,
    // In one piece, the first part comes with the last: only a limit that was asked for makes sense.
    firstTokenMs: set.firstTokenMs ?? (call.task.wireFor(options) === 'unary' ? undefined : usual),
    idleMs: set.idleMs ?? defaults.idleMs,
  };
}

export function openSession(
  engine: Engine,
  call: Call,
  scope: Scope,
  trail: Trail,
  target: ResolvedTarget,
  prepared: PreparedCall,
  messages: readonly NormalMessage[],
): Session {
  const { runtime, health, pricing } = engine;
  const options = optionsFor(call, target);
  const collected = createCollected();
  const startedAt = runtime.now();
  const tags = tagsFor(call, target);
  const emit = <Name extends EventName>(
    type: Name,
    payload: Parameters<typeof trail.emit<Name>>[1],
  ): void => trail.emit(type, payload, tags);
  const priced = pricedTarget(engine, target);
  // Loaded while the vendor thinks. A list that cannot be loaded makes the price unknown, not the answer.
  const prices = pricing.load(priced).catch(() => undefined);
  const attempt = trail.begin();
  let firstTokenMs: number | undefined;
  let permit: Permit | undefined = health.enter(target.id, call.tier.circuit);
  let release: Release | undefined;
  let billed: { readonly usage: Usage; readonly usd: number | null } | undefined;

  emit('attempt-start', { target: target.id, attempt });

  const tell = (change: CircuitChange | undefined, cause?: SignalboxError): void => {
    if (change?.to === 'half-open') emit('circuit-half-open', { target: target.id });
    if (change?.to === 'closed') emit('circuit-close', { target: target.id });
    if (change?.to === 'open') {
      const until = change.until ?? runtime.now();
      emit('circuit-open', {
        target: target.id,
        until,
        cause: cause?.code ?? 'server_error',
      });
    }
  };

  tell(permit.change);

  /** Gives back the place in the circuit and in the queue; once. */
  function leave(outcome: Outcome, error?: SignalboxError): void {
    tell(permit?.settle(outcome), error);
    permit = undefined;
    release?.();
    release = undefined;
  }

  async function bill(usage: Usage): Promise<Completion['cost']> {
    await prices;
    const { servedModel, finish } = collected;
    const cost = pricing.price(priced, { usage, servedModel, serviceTier: finish?.serviceTier });
    billed = { usage, usd: cost.usd };
    trail.bill(cost.usd);
    emit('cost', { target: target.id, usage, ...cost });
    return { ...cost, attemptsUsd: trail.usd };
  }

  function book(outcome: 'success' | 'failure'): void {
    const durationMs = runtime.now() - startedAt;
    engine.statistics(target.id).record({
      totalMs: durationMs,
      outcome: outcome === 'success' ? 'ok' : 'error',
      ...(firstTokenMs !== undefined && { firstTokenMs }),
    });
  }

  const facts = () => ({
    target: target.id,
    ...toldKey(target),
    durationMs: runtime.now() - startedAt,
    ...(firstTokenMs !== undefined && { firstTokenMs }),
    ...(billed !== undefined && { usage: billed.usage }),
  });

  return {
    target,
    collected,
    async start() {
      release = await engine.concurrency.acquire(
        [
          {
            key: `provider ${target.provider}`,
            limit: call.config.providerLimits[target.provider]?.concurrency,
          },
          { key: `tier ${call.tier.name}`, limit: call.tier.limits.concurrency },
          // Tiers that set different limits for a target each have their own.
          {
            key: `target ${target.id} ${target.limits.concurrency}`,
            limit: target.limits.concurrency,
          },
        ],
        scope.signal,
      );
      return runAttempt(runtime, prepared, {
        signal: scope.signal,
        clocks: clocksFor(call, target),
        wire: call.task.wireFor(options),
        keepRaw: call.options.raw === true,
        ...(target.key !== undefined && { key: target.key }),
        see(part) {
          collected.add(part);
          if (firstTokenMs === undefined && (collected.begun || part.type === 'finish')) {
            firstTokenMs = runtime.now() - startedAt;
            emit('first-token', { target: target.id, firstTokenMs });
          }
        },
      });
    },
    async conclude() {
      const usage = collected.usage() ?? estimateUsage(messages, collected.content);
      const cost = await bill(usage);
      const firstToken =
        firstTokenMs === undefined ? {} : { firstTokenAt: startedAt + firstTokenMs };
      return call.task.check(
        toCompletion({
          engine,
          call,
          scope,
          target,
          prepared,
          collected,
          usage,
          cost,
          tags,
          ...firstToken,
        }),
      );
    },
    succeed(completion) {
      leave('success');
      health.restore(target.id, target.provider, target.key);
      engine.retryBudget.success();
      book('success');
      trail.end({
        ...facts(),
        startedAt,
        outcome: 'ok',
        verdict: 'done',
        cost: completion.cost.usd,
      });
      emit('attempt-end', {
        ...facts(),
        attempt,
        outcome: 'ok',
        verdict: 'done',
        usd: completion.cost.usd,
      });
      return { ...completion, trail: [...trail.lines] };
    },
    async fail(raw) {
      const message = `${heldUnder(target).target}: ${raw.message}`;
      const error = raw.with({
        target: target.id,
        message,
        requestId: raw.requestId ?? collected.requestId,
      });
      const left = error.code === 'aborted' || error.code === 'closed' || error.phase === 'total';
      // An answer that came whole but is of no use says nothing against the target's health.
      const outcome = collected.finish !== undefined ? 'success' : 'neither';
      leave(countsAsFailure(error) ? 'failure' : outcome, error);
      if (!left) {
        withhold(engine, target, error, emit);
        book('failure');
      }
      const usage = collected.usage();
      if (billed === undefined && usage !== undefined) await bill(usage);
      return error;
    },
    judge(error, decision) {
      const reason = decision.verdict === 'retry' ? undefined : decision.reason;
      const failure = failureOf(error, decision.verdict, reason);
      const cost = billed === undefined ? {} : { cost: billed.usd };
      trail.end({ ...facts(), startedAt, ...failure, ...cost }, error);
      emit('attempt-end', {
        ...facts(),
        attempt,
        outcome: failure.outcome,
        verdict: failure.verdict,
        error: failure.error,
        ...(billed !== undefined && { usd: billed.usd }),
      });
    },
  };
}

import type { ResolvedTarget } from '../../config/resolve.ts';
import { isSignalboxError, SignalboxError, summarizeError } from '../../errors.ts';
import type { NormalMessage, Part } from '../../protocol/message.ts';
import type {
  Plugin,
  PluginAnswer,
  PluginCall,
  PluginCallEnd,
  PluginParts,
  PluginRequest,
} from '../../protocol/plugin.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { textOf } from '../core/collected.ts';
import type { Call, CallLayers, Engine, LayerAttempt } from '../core/engine.ts';
import { type Ending, endingOf, type Scope, untilEnded } from '../core/scope.ts';
import type { WholeCompletion } from '../core/task.ts';
import { configuredFor } from './configured.ts';
import { callWith, type Innermost, LayerCall, type MakeCalls, type Shared } from './layer-call.ts';
import { type Next, PluginLayer, withContent } from './plugin-layer.ts';
import type { CallAccount, CallRun } from './running-call.ts';
import type { Membership, SingleFlight } from './single-flight.ts';

/** What runs and can be ended. */
type Running = { end(reason: unknown): Promise<void> };

/** All plugins around one call. The first is the outermost. */
export class Layers {
  readonly #layers: readonly PluginLayer[];
  readonly #outer: Call;
  readonly #engine: Engine;
  readonly #scope: Scope;
  readonly #innermost: Innermost;
  readonly #shares: SingleFlight;
  readonly #verdicts: Shared['verdicts'] = [];
  /** The layers that are still to be called at the end, the innermost last. */
  readonly #toEnd: PluginLayer[];
  /** Whether the request has passed all layers. */
  #hasEntered = false;
  /** What runs inside, and ends with the call. */
  readonly #running: Running[] = [];
  /** Why the call has ended: a plugin that goes on must not start anything. */
  #over: { readonly reason: unknown } | undefined;
  /** Answers of the call's own, with what the caller's checks made of them. Others are checked when they leave. */
  readonly #checked = new WeakMap<object, WholeCompletion>();

  constructor(
    engine: Engine,
    call: Call,
    scope: Scope,
    { makeCalls, shares }: { readonly makeCalls: MakeCalls; readonly shares: SingleFlight },
  ) {
    const { plugins, watchers } = call;
    this.#outer = call;
    this.#engine = engine;
    this.#scope = scope;
    this.#shares = shares;
    const innermost = { request: call.task.request };
    this.#innermost = innermost;
    let made: PluginCall['configured'] | undefined;
    const configured = () => {
      made ??= configuredFor(engine, call, (target) => this.#exclusion(target));
      return made;
    };
    const shared = { engine, call, scope, innermost, verdicts: this.#verdicts, configured };
    const layerOf = (plugin: Plugin, inside: readonly Plugin[], outside: readonly Plugin[]) => {
      const maker = makeCalls(call, scope, inside, outside);
      return new PluginLayer(plugin, new LayerCall(plugin, shared, maker), scope);
    };
    this.#layers = plugins.map((plugin, index) =>
      layerOf(plugin, plugins.slice(index + 1), [...watchers, ...plugins.slice(0, index)]),
    );
    // The calls that a watcher makes are not watched, or they would have no end.
    const watching = watchers.map((plugin) => layerOf(plugin, [], []));
    this.#toEnd = [...watching, ...this.#layers].filter(({ plugin }) => plugin.onEnd !== undefined);
  }

  /**
   * Runs the call through its layers. `run` runs what is innermost.
   * @throws SignalboxError what the call failed with
   */
  async *run(
    account: CallAccount,
    run: (call: Call, options: Parameters<Next>[0]) => AsyncIterable<PluginParts>,
  ): CallRun {
    const { trail } = account;
    account.open();
    let answer: PluginAnswer | undefined;
    let failure: SignalboxError | undefined;
    try {
      const call = await this.#enter();
      let next: Next = (options) => {
        if (this.#over !== undefined) throw this.#over.reason;
        return this.#innermostParts(run(call, options));
      };
      for (const layer of this.#layers.toReversed()) {
        const share = (text: string, inside: Next, signal: AbortSignal | undefined) => {
          const key = JSON.stringify([layer.plugin.name, text]);
          return this.partsOf(this.#shares.join(key, inside), signal);
        };
        next = layer.around(next, share, (each, end) => this.#viewOutside(layer, each, end));
      }
      const parts = next()[Symbol.asyncIterator]();
      try {
        for (;;) {
          const step = await untilEnded(parts.next(), this.#scope);
          if (step.done === true) break;
          // A plugin that goes on after its answer is waited for: it may still keep or record it.
          if (answer !== undefined) continue;
          const last = step.value.at(-1);
          const before = last?.type === 'finish' ? step.value.slice(0, -1) : step.value;
          if (before.length > 0) yield before;
          if (last?.type === 'finish') answer = await this.#leave(last.completion);
        }
      } finally {
        // Not awaited: a plugin that hangs must not hold the call.
        parts.return?.().then(undefined, () => undefined);
      }
      if (answer === undefined) {
        throw new SignalboxError('plugin_failed', 'the plugins ended the call without an answer');
      }
      if (this.#toEnd.length > 0) {
        await this.#end(readerLeft());
        await this.#callOnEnd({ status: 'ok', answer }, trail);
      }
    } catch (raw) {
      answer = undefined;
      await this.#end(raw);
      failure = await this.#asSeen(raw, [...trail.lines]);
      failure = await this.#callOnEndOfFailure(failure, trail);
      throw failure;
    } finally {
      await this.#end(readerLeft());
      if (answer === undefined) await this.#callOnEndOfFailure(readerLeft(), trail);
      account.close(answer ?? failure ?? readerLeft());
    }
    yield [{ type: 'finish', completion: answer }];
  }

  /** Makes what runs inside end with the call. */
  add<Inside extends Running>(running: Inside): Inside {
    this.#running.push(running);
    return running;
  }

  /** The parts of a request that calls share. With a signal, the call is part of that until it aborts, however the call ends. */
  partsOf(shared: Membership, signal: AbortSignal | undefined): AsyncIterable<PluginParts> {
    if (signal !== undefined) return this.#partsUntil(shared, signal);
    return this.add(shared).parts(this.#outer.tags, this.#scope);
  }

  async *#partsUntil(shared: Membership, signal: AbortSignal): AsyncGenerator<PluginParts, void> {
    try {
      yield* shared.parts(this.#outer.tags, endingOf(signal));
    } finally {
      await shared.end();
    }
  }

  /** The layers as a request inside of them sees them. Their hooks end with it: other calls may share it and go on. */
  within(end: Ending): CallLayers {
    return {
      exclusion: (target) => this.#exclusion(target),
      send: (attempt, send) => this.#send(attempt, send),
      check: (completion) => this.#check(completion, end),
      repair: (turns) => this.#repair(turns, end),
    };
  }

  #exclusion({ id: target, provider, model }: ResolvedTarget): string | undefined {
    for (const layer of this.#layers) {
      const reason = layer.exclusion({ target, provider, model });
      if (reason !== undefined) return `excluded by plugin "${layer.plugin.name}": ${reason}`;
    }
    return undefined;
  }

  #send(
    attempt: LayerAttempt,
    send: () => AsyncIterable<readonly ProviderPart[]>,
  ): AsyncIterable<readonly ProviderPart[]> {
    let innermost: AsyncIterator<readonly ProviderPart[]> | undefined;
    let next = (): AsyncIterable<readonly ProviderPart[]> => ({
      [Symbol.asyncIterator]() {
        innermost = send()[Symbol.asyncIterator]();
        return innermost;
      },
    });
    for (const layer of this.#layers.toReversed()) {
      const inside = next;
      next = () => layer.send(attempt, inside);
    }
    const outermost = next()[Symbol.asyncIterator]();
    const iterator: AsyncIterator<readonly ProviderPart[]> = {
      next: () => outermost.next(),
      async return() {
        // Directly, too: a plugin that hangs must not keep the request open.
        innermost?.return?.().then(undefined, () => undefined);
        await outermost.return?.();
        return { done: true, value: undefined };
      },
    };
    return { [Symbol.asyncIterator]: () => iterator };
  }

  async #check(completion: WholeCompletion, end: Ending): Promise<WholeCompletion> {
    for (const layer of this.#layers.toReversed()) await layer.accept(completion, end);
    const content = await this.#contentOutside(completion.content, end);
    const seen = content === completion.content ? completion : withContent(completion, content);
    const checked = await this.#outer.task.check(seen);
    const answer = this.#changesAnswers ? completion : checked;
    this.#checked.set(answer.content, checked);
    return answer;
  }

  async #repair(turns: readonly NormalMessage[], end: Ending): Promise<readonly NormalMessage[]> {
    let request: PluginRequest = { kind: 'chat', messages: turns, isRepair: true };
    for (const layer of this.#layers) request = await layer.request(request, end);
    return request.kind === 'chat' ? request.messages : turns;
  }

  /** Ends what still runs inside, so that all of it is recorded before the call's end. */
  async #end(reason: unknown): Promise<void> {
    this.#over ??= { reason };
    await Promise.all(this.#running.splice(0).map((running) => running.end(reason)));
  }

  async #callOnEnd(
    outcome: Pick<PluginCallEnd, 'status' | 'answer' | 'error'>,
    trail: CallAccount['trail'],
  ): Promise<void> {
    for (let layer = this.#toEnd.pop(); layer !== undefined; layer = this.#toEnd.pop()) {
      await layer.ended({
        ...outcome,
        ...(this.#hasEntered && { innermost: this.#innermost }),
        verdicts: [...this.#verdicts],
        trail: [...trail.lines],
        durationMs: this.#engine.runtime.now() - this.#scope.startedAt,
        usd: trail.hasUnknownCost ? null : trail.usd,
      });
    }
  }

  /** Returns what the call fails with: a plugin that cannot record it is the failure, unless the call was aborted. */
  async #callOnEndOfFailure(
    failure: SignalboxError,
    trail: CallAccount['trail'],
  ): Promise<SignalboxError> {
    let seen = failure;
    while (this.#toEnd.length > 0) {
      const isAborted = seen.code === 'aborted' || seen.code === 'closed';
      try {
        const status = isAborted ? 'aborted' : 'error';
        await this.#callOnEnd({ status, error: summarizeError(seen) }, trail);
      } catch (raw) {
        if (!isAborted) seen = await this.#asSeen(raw, [...trail.lines]);
      }
    }
    return seen;
  }

  /** The request enters the layers. Returns the call as its attempts make it. */
  async #enter(): Promise<Call> {
    let request = this.#outer.task.request;
    for (const layer of this.#layers) {
      request = await layer.request(request, this.#scope);
      (layer.call as LayerCall).request = request;
    }
    this.#innermost.request = request;
    this.#hasEntered = true;
    return { ...callWith(this.#outer, request), layers: this.within(this.#scope) };
  }

  async *#innermostParts(parts: AsyncIterable<PluginParts>): AsyncGenerator<PluginParts, void> {
    for await (const batch of parts) {
      const last = batch.at(-1);
      if (last?.type === 'finish') {
        const { completion } = last;
        this.#innermost.answer = completion;
        // The call whose request was shared has made the checks, which are the same.
        const isChecked = completion.shared === true && !this.#changesAnswers;
        if (isChecked) this.#checked.set(completion.content, completion);
      }
      yield batch;
    }
  }

  /** A whole answer leaves a layer. */
  async #viewOutside(layer: PluginLayer, answer: PluginAnswer, end: Ending): Promise<PluginAnswer> {
    // Set already unless a plugin answered instead of what is inside.
    this.#innermost.answer ??= answer;
    const content = await layer.view(answer.content, end);
    if (content === answer.content) return answer;
    const checked = this.#checked.get(answer.content);
    if (checked !== undefined) this.#checked.set(content, checked);
    return withContent(answer, content);
  }

  get #changesAnswers(): boolean {
    return this.#layers.some((layer) => layer.changesAnswers);
  }

  async #contentOutside(content: readonly Part[], end: Ending): Promise<readonly Part[]> {
    let view = content;
    for (const layer of this.#layers.toReversed()) view = await layer.view(view, end);
    return view;
  }

  /**
   * The answer leaves the outermost layer: its own checks have been made, or are made now. It may be one of an earlier call,
   * such as a cached one.
   */
  async #leave(answer: PluginAnswer): Promise<PluginAnswer> {
    const { id: callId, task } = this.#outer;
    const checked = this.#checked.get(answer.content);
    if (checked === undefined) return { ...(await task.check(answer)), callId };
    return { ...answer, object: checked.object, toolCalls: checked.toolCalls, callId };
  }

  /** The failure as the caller sees it: what had arrived looks as it does outside of the layers. */
  async #asSeen(raw: unknown, trail: SignalboxError['trail']): Promise<SignalboxError> {
    const error = isSignalboxError(raw)
      ? raw
      : new SignalboxError('plugin_failed', 'a plugin failed; see cause', { cause: raw });
    const seen = await this.#withSeenPartial(error);
    const errors =
      error.errors && (await Promise.all(error.errors.map((each) => this.#withSeenPartial(each))));
    return seen.with({ tier: this.#outer.tier.name, trail, errors });
  }

  async #withSeenPartial(error: SignalboxError): Promise<SignalboxError> {
    if (error.partial === undefined) return error;
    const { partial } = error;
    try {
      const content = await this.#contentOutside(partial.content, this.#scope);
      return error.with({ partial: { ...partial, content, text: textOf(content) } });
    } catch {
      // A plugin that fails at this too. What it would hide must not be shown.
      return error.with({ partial: undefined });
    }
  }
}

function readerLeft(): SignalboxError {
  return new SignalboxError('aborted', 'the reader left');
}

import type { ResolvedTarget } from '../../config/resolve.ts';
import { isSignalboxError, SignalboxError } from '../../errors.ts';
import type { NormalMessage, Part } from '../../protocol/message.ts';
import type {
  Plugin,
  PluginAnswer,
  PluginCall,
  PluginParts,
  PluginRequest,
} from '../../protocol/plugin.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { textOf } from '../core/collected.ts';
import type { Call, CallLayers, Engine, LayerAttempt } from '../core/engine.ts';
import { type Scope, untilEnded } from '../core/scope.ts';
import type { WholeCompletion } from '../core/task.ts';
import { type Next, PluginLayer, withContent } from './plugin-layer.ts';
import type { CallAccount, CallRun } from './running-call.ts';

/** Makes calls on behalf of another one, through `plugins`. */
export interface CallMaker {
  ask: PluginCall['ask'];
  embed: PluginCall['embed'];
  fork(call: Call, options: Parameters<PluginCall['fork']>[0]): Promise<PluginAnswer>;
}

/** Makes a {@link CallMaker} for the layers inside of one. */
export type MakeCalls = (call: Call, scope: Scope, plugins: readonly Plugin[]) => CallMaker;

/** What can be ended. */
type Ending = { end(reason: unknown): Promise<void> };

/** The request and the answer as the innermost layer sees them. */
type Innermost = { request: PluginRequest; answer?: PluginAnswer };

/** One call, as one plugin sees it. */
class LayerCall implements PluginCall {
  request: PluginRequest;
  readonly innermost: Innermost;
  declare readonly drill?: string;
  readonly #engine: Engine;
  readonly #call: Call;
  readonly #scope: Scope;
  readonly #maker: CallMaker;

  constructor(engine: Engine, call: Call, scope: Scope, innermost: Innermost, maker: CallMaker) {
    this.request = call.task.request;
    this.innermost = innermost;
    if (call.drill !== undefined) this.drill = call.drill;
    this.#engine = engine;
    this.#call = call;
    this.#scope = scope;
    this.#maker = maker;
  }

  get id() {
    return this.#call.id;
  }
  get kind() {
    return this.#call.kind;
  }
  get tier() {
    return this.#call.called.name;
  }
  get mode() {
    return this.#call.mode;
  }
  get tags() {
    return this.#call.tags;
  }
  get options() {
    return this.#call.options;
  }
  get signal() {
    return this.#scope.signal;
  }
  get runtime() {
    return this.#engine.runtime;
  }

  remainingMs(): number {
    return this.#scope.remainingMs();
  }

  ask(...question: Parameters<PluginCall['ask']>) {
    return this.#maker.ask(...question);
  }

  embed(...values: Parameters<PluginCall['embed']>) {
    return this.#maker.embed(...values);
  }

  fork(options: Parameters<PluginCall['fork']>[0]) {
    return this.#maker.fork(callWith(this.#call, this.request), options);
  }
}

/** The call with another request. */
function callWith(call: Call, request: PluginRequest): Call {
  if (request === call.task.request) return call;
  const task = call.task.withRequest(request);
  const { system: _, ...options } = call.options;
  const system = request.kind === 'chat' ? request.system : call.options.system;
  return {
    ...call,
    task,
    options: system === undefined ? options : { ...options, system },
  };
}

/** All plugins around one call. The first is the outermost. */
export class Layers implements CallLayers {
  readonly #layers: readonly PluginLayer[];
  readonly #outer: Call;
  readonly #scope: Scope;
  readonly #innermost: Innermost;
  /** What runs inside, and ends with the call. */
  readonly #running: Ending[] = [];
  /** Why the call has ended: a plugin that goes on must not start anything. */
  #over: { readonly reason: unknown } | undefined;
  /** Answers of the call's own, with what the caller's checks made of them. Others are checked when they leave. */
  readonly #checked = new WeakMap<object, WholeCompletion>();

  constructor(engine: Engine, call: Call, scope: Scope, makeCalls: MakeCalls) {
    const { plugins } = call;
    this.#outer = call;
    this.#scope = scope;
    this.#innermost = { request: call.task.request };
    this.#layers = plugins.map((plugin, index) => {
      const maker = makeCalls(call, scope, plugins.slice(index + 1));
      const seen = new LayerCall(engine, call, scope, this.#innermost, maker);
      return new PluginLayer(plugin, seen, scope);
    });
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
        next = layer.around(next, (each) => this.#viewOutside(layer, each));
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
    } catch (raw) {
      answer = undefined;
      await this.#end(raw);
      failure = await this.#asSeen(raw, [...trail.lines]);
      throw failure;
    } finally {
      await this.#end(readerLeft());
      account.close(answer ?? failure ?? readerLeft());
    }
    yield [{ type: 'finish', completion: answer }];
  }

  /** Makes what runs inside end with the call. */
  add<Running extends Ending>(running: Running): Running {
    this.#running.push(running);
    return running;
  }

  exclusion({ id: target, provider, model }: ResolvedTarget): string | undefined {
    for (const layer of this.#layers) {
      const reason = layer.exclusion({ target, provider, model });
      if (reason !== undefined) return `excluded by plugin "${layer.plugin.name}": ${reason}`;
    }
    return undefined;
  }

  send(
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

  async check(completion: WholeCompletion): Promise<WholeCompletion> {
    for (const layer of this.#layers.toReversed()) await layer.accept(completion);
    const content = await this.#contentOutside(completion.content);
    const seen = content === completion.content ? completion : withContent(completion, content);
    const checked = await this.#outer.task.check(seen);
    const answer = this.#changesAnswers ? completion : checked;
    this.#checked.set(answer.content, checked);
    return answer;
  }

  async repair(turns: readonly NormalMessage[]): Promise<readonly NormalMessage[]> {
    let request: PluginRequest = { kind: 'chat', messages: turns, isRepair: true };
    for (const layer of this.#layers) request = await layer.request(request);
    return request.kind === 'chat' ? request.messages : turns;
  }

  /** Ends what still runs inside, so that all of it is recorded before the call's end. */
  async #end(reason: unknown): Promise<void> {
    this.#over ??= { reason };
    await Promise.all(this.#running.splice(0).map((running) => running.end(reason)));
  }

  /** The request enters the layers. Returns the call as its attempts make it. */
  async #enter(): Promise<Call> {
    let request = this.#outer.task.request;
    for (const layer of this.#layers) {
      request = await layer.request(request);
      (layer.call as LayerCall).request = request;
    }
    this.#innermost.request = request;
    return { ...callWith(this.#outer, request), layers: this };
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
  async #viewOutside(layer: PluginLayer, answer: PluginAnswer): Promise<PluginAnswer> {
    // Set already unless a plugin answered instead of what is inside.
    this.#innermost.answer ??= answer;
    const content = await layer.view(answer.content);
    if (content === answer.content) return answer;
    const checked = this.#checked.get(answer.content);
    if (checked !== undefined) this.#checked.set(content, checked);
    return withContent(answer, content);
  }

  get #changesAnswers(): boolean {
    return this.#layers.some((layer) => layer.changesAnswers);
  }

  async #contentOutside(content: readonly Part[]): Promise<readonly Part[]> {
    let view = content;
    for (const layer of this.#layers.toReversed()) view = await layer.view(view);
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
      const content = await this.#contentOutside(partial.content);
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

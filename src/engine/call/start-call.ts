import { defaults } from '../../config/defaults.ts';
import type { InContext } from '../../internal/async-context.ts';
import type { PluginParts } from '../../protocol/plugin.ts';
import type { Call, Engine } from '../core/engine.ts';
import { type CallScope, openScope, type Scope } from '../core/scope.ts';
import { hasKeysByTags } from './configured.ts';
import type { MakeCalls } from './layer-call.ts';
import { Layers } from './layers.ts';
import type { Next } from './plugin-layer.ts';
import { runCall } from './run-call.ts';
import {
  type CallAccount,
  type CallRun,
  createInFlight,
  type InFlight,
  PartialAccount,
  RunningCall,
  WholeCallAccount,
} from './running-call.ts';
import { createCallKey, SingleFlight } from './single-flight.ts';

/** A call of a fire drill: the engine and the call as they run then. */
export type Drilled = { readonly engine: Engine; readonly call: Call };

/** What the reader of a stream says about itself. */
type Reader = {
  /** Aborts when the reader leaves while it waits for a part. */
  readonly leaving?: AbortSignal | undefined;
  /** The async context in which the stream was made. @default that of each read */
  readonly inContext?: InContext | undefined;
};

/** What ends a call, and who reads it. */
type Ends = Reader & {
  readonly signal: AbortSignal | undefined;
  readonly totalMs: number;
};

function totalMsOf({ options, tier }: Call): number {
  return options.timeouts?.totalMs ?? tier.timeouts.totalMs ?? defaults.totalMs;
}

function isShared({ kind, options, tier }: Call): boolean {
  return kind === 'chat' && (options.singleFlight ?? tier.singleFlight);
}

function hasLayers({ plugins, watchers }: Call): boolean {
  return plugins.length > 0 || watchers.length > 0;
}

function ignore(): void {}

/** Starts the calls of one router: each with its scope, its layers, and the request it may share. */
export class CallStarter {
  readonly #engine: Engine;
  readonly #drilled: (call: Call) => Drilled | undefined;
  readonly #makeCalls: MakeCalls;
  readonly #inFlight: InFlight;
  readonly #flights = new SingleFlight();
  /** What plugins share. */
  readonly #shares = new SingleFlight();
  readonly #keyOf = createCallKey();

  /** `drilled` returns how a call runs that a fire drill takes; `makeCalls` makes the calls of plugins. */
  constructor(engine: Engine, drilled: (call: Call) => Drilled | undefined, makeCalls: MakeCalls) {
    this.#engine = engine;
    this.#drilled = drilled;
    this.#makeCalls = makeCalls;
    this.#inFlight = createInFlight(engine.runtime);
  }

  /** Calls in flight. */
  get size(): number {
    return this.#inFlight.size;
  }

  /** Rejects new calls, waits up to `drainMs`, and aborts the rest. */
  close(drainMs: number): Promise<void> {
    return this.#inFlight.close(drainMs);
  }

  /**
   * Starts a call. What is returned must be read, at least to its first part.
   * @throws SignalboxError `closed` once the router is
   */
  start(call: Call, reader: Reader = {}): RunningCall {
    const ends = { signal: call.options.signal, totalMs: totalMsOf(call), ...reader };
    return this.#open(call, ends, (scope, onClose) => {
      const isJoined = isShared(call);
      if (isJoined && !hasLayers(call)) return this.#joined(call, scope, onClose);
      return this.#run(call, scope, onClose, isJoined ? this.#flights : undefined);
    });
  }

  /** Runs a call under a scope, in flight until it has closed. */
  #open(
    call: Call,
    { signal, totalMs, leaving, inContext }: Ends,
    run: (scope: CallScope, onClose: () => void) => CallRun,
  ): RunningCall {
    const { configs, runtime } = this.#engine;
    const scope = openScope(runtime, signal, totalMs);
    const leave = (): void => scope.abort(leaving?.reason);
    if (leaving?.aborted) leave();
    leaving?.addEventListener('abort', leave, { once: true });
    const entry: Parameters<InFlight['enter']>[0] = {
      abort: (reason) => scope.abort(reason),
      // An abort does not wait for a reader that is busy elsewhere.
      end: () => running.end(scope.reason),
    };
    const onClose = (): void => {
      leaving?.removeEventListener('abort', leave);
      this.#inFlight.leave(entry);
      configs.release(call.config);
    };
    const onUnread = (): void => {
      scope.close();
      onClose();
    };
    const running = new RunningCall(run(scope, onClose), scope, onUnread, inContext);
    try {
      this.#inFlight.enter(entry);
    } catch (error) {
      scope.close();
      throw error;
    }
    configs.retain(call.config);
    return running;
  }

  /** With `flights`, the innermost layer is a request that other calls may share. */
  #run(call: Call, scope: CallScope, onClose: () => void, flights?: SingleFlight): CallRun {
    const drilled = this.#drilled(call) ?? { engine: this.#engine, call };
    const { engine } = drilled;
    const account = new WholeCallAccount(engine, drilled.call, scope, onClose);
    if (!hasLayers(drilled.call)) return runCall(engine, call, scope, account);
    const layers = new Layers(engine, drilled.call, scope, {
      makeCalls: this.#makeCalls,
      shares: this.#shares,
    });
    return layers.run(account, (inner, options) => {
      const next: Next = (set) =>
        this.#inside({ engine, call: inner }, scope, account, layers, set);
      if (flights === undefined) return next(options);
      return layers.partsOf(flights.join(this.#keyFor(inner), next), options?.signal);
    });
  }

  /** What is inside of all layers. With a signal, it ends by that one, and not with the call. */
  #inside(
    { engine, call }: Drilled,
    scope: Scope,
    { trail }: CallAccount,
    layers: Layers,
    options: Parameters<Next>[0],
  ): RunningCall {
    if (options?.signal === undefined) {
      const account = new PartialAccount(trail, ignore);
      const run = runCall(engine, call, scope, account);
      return layers.add(new RunningCall(run, scope, ignore));
    }
    const ends = { signal: options.signal, totalMs: scope.remainingMs() };
    return this.#open(call, ends, (own, onClose) => {
      const account = new PartialAccount(trail, () => {
        own.close();
        onClose();
      });
      return runCall(engine, { ...call, layers: layers.within(own) }, own, account);
    });
  }

  /** A call that shares its request, without plugins: the request has the events, once for all who share it. */
  async *#joined(call: Call, scope: CallScope, onClose: () => void): CallRun {
    const next: Next = (options) =>
      this.#open(call, { signal: options?.signal, totalMs: totalMsOf(call) }, (own, onOwnClose) =>
        this.#run(call, own, onOwnClose),
      );
    let last: PluginParts = [];
    try {
      const shared = this.#flights.join(this.#keyFor(call), next);
      for await (const batch of shared.parts(call.tags, scope)) {
        last = batch;
        if (batch.at(-1)?.type === 'finish') break;
        yield batch;
      }
    } finally {
      // Before the last batch is passed on: its reader need not come back.
      scope.close();
      onClose();
    }
    yield last;
  }

  /** What makes calls identical. */
  #keyFor(call: Call): string {
    const { config, called, tier, rule, requires, mode, task, options } = call;
    const {
      signal: _signal,
      tags: _tags,
      singleFlight: _,
      cacheResponse: _cacheResponse,
      ...compared
    } = options;
    // Tags are not compared, but a rule may send calls elsewhere by them.
    const where = [called.name, tier.name, rule, requires];
    const payer = hasKeysByTags(this.#engine, call) ? call.tags : undefined;
    return this.#keyOf(config, [where, mode, task.request, compared, payer]);
  }
}

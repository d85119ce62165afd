import type {
  Plugin,
  PluginAnswer,
  PluginCall,
  PluginCallEnd,
  PluginRequest,
  PolicyVerdict,
} from '../../protocol/plugin.ts';
import type { Call, Engine } from '../core/engine.ts';
import type { Scope } from '../core/scope.ts';
import { Trail } from '../core/trail.ts';

/** Makes calls on behalf of another one, through `plugins`. */
export interface CallMaker {
  ask: PluginCall['ask'];
  embed: PluginCall['embed'];
  fork(call: Call, options: Parameters<PluginCall['fork']>[0]): Promise<PluginAnswer>;
}

/** Makes a {@link CallMaker} for the layers inside of one. `watchers` are those outside. */
export type MakeCalls = (
  call: Call,
  scope: Scope,
  plugins: readonly Plugin[],
  watchers: readonly Plugin[],
) => CallMaker;

/** The request and the answer as the innermost layer sees them. */
export type Innermost = { request: PluginRequest; answer?: PluginAnswer };

/** What all layers of a call share. */
export type Shared = {
  readonly engine: Engine;
  readonly call: Call;
  readonly scope: Scope;
  readonly innermost: Innermost;
  readonly verdicts: PluginCallEnd['verdicts'][number][];
  readonly configured: () => PluginCall['configured'];
};

/** One call, as one plugin sees it. */
export class LayerCall implements PluginCall {
  request: PluginRequest;
  readonly innermost: Innermost;
  declare readonly drill?: string;
  declare readonly parent?: string;
  readonly #policy: string;
  readonly #engine: Engine;
  readonly #call: Call;
  readonly #scope: Scope;
  readonly #verdicts: Shared['verdicts'];
  readonly #maker: CallMaker;
  readonly #configured: () => PluginCall['configured'];

  constructor({ name }: Plugin, shared: Shared, maker: CallMaker) {
    const { engine, call, scope, innermost, verdicts, configured } = shared;
    this.#policy = name;
    this.request = call.task.request;
    this.innermost = innermost;
    if (call.drill !== undefined) this.drill = call.drill;
    if (call.parent !== undefined) this.parent = call.parent;
    this.#engine = engine;
    this.#call = call;
    this.#scope = scope;
    this.#verdicts = verdicts;
    this.#maker = maker;
    this.#configured = configured;
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
  get configured() {
    return this.#configured();
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

  verdict({ kind, rule, counts }: PolicyVerdict): void {
    const found = { kind, ...(rule !== undefined && { rule }), ...(counts && { counts }) };
    const verdict = { policy: this.#policy, ...found };
    this.#verdicts.push(verdict);
    new Trail(this.#engine, this.#call).emit('policy-verdict', verdict);
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
export function callWith(call: Call, request: PluginRequest): Call {
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

import { Spending } from '../../budgets/spending.ts';
import { checkCallOptions, findTier } from '../../config/check.ts';
import { splitTarget } from '../../config/cross-check.ts';
import {
  type ResolvedConfig,
  type ResolvedTarget,
  type ResolvedTier,
  targetsOf,
} from '../../config/resolve.ts';
import { SignalboxError } from '../../errors.ts';
import { currentContext } from '../../internal/async-context.ts';
import { withoutUndefined } from '../../internal/own.ts';
import { quoted } from '../../internal/quoted.ts';
import type { CallOptions } from '../../protocol/call-options.ts';
import type { Completion } from '../../protocol/completion.ts';
import type { Message } from '../../protocol/message.ts';
import type { Embeddings, EmbedOptions, ImageOptions, Images } from '../../protocol/other-tasks.ts';
import type { Plugin, PluginParts } from '../../protocol/plugin.ts';
import type { CompletionStream } from '../../protocol/stream-part.ts';
import { builtInStrategies } from '../../routing/strategy.ts';
import type { Call, Engine, SetTags } from '../core/engine.ts';
import type { Scope } from '../core/scope.ts';
import type { Task, WholeCompletion } from '../core/task.ts';
import { chatTask } from '../tasks/chat.ts';
import { imageTask, toImages } from '../tasks/image.ts';
import { createCompletionStream } from './completion-stream.ts';
import { embedValues } from './embed-values.ts';
import type { CallMaker } from './layer-call.ts';
import { type Routed, routeByRule } from './route-by-rule.ts';
import { CallStarter, type Drilled } from './start-call.ts';

type Messages = string | readonly Message[];

/** Where calls are made: under a configuration, through plugins. */
export type CallContext = {
  readonly config: ResolvedConfig;
  readonly plugins: readonly Plugin[];
  /** The call that a plugin makes them for, and what that one spends. */
  readonly within?: Pick<Call, 'requires' | 'watchers'> & {
    readonly parent: string;
    readonly spending: Spending | undefined;
  };
};

/** Data must not switch off a plugin: a rule that sends calls to an exempt tier does not exempt them. */
function appliesTo({ exceptTiers }: Plugin, tiers: readonly ResolvedTier[]): boolean {
  return exceptTiers === undefined || tiers.some(({ name }) => !exceptTiers.includes(name));
}

/** What a call is for, as the user gave it. */
type Question<Options> = {
  readonly tier: string;
  readonly options: Options | undefined;
  readonly kind: Call['kind'];
  readonly mode: Call['mode'];
  /** Makes the task, once the options are checked. */
  readonly task: (tier: ResolvedTier, options: Options) => Task;
};

/** The options that are set, also inside of those whose fields are merged with a tier's. */
function setOptions<Options extends CallOptions>(options: Options): Options & SetTags {
  const set = withoutUndefined(options);
  const { tags, timeouts, retry } = options;
  if (tags === undefined && timeouts === undefined && retry === undefined) {
    return set as Options & SetTags;
  }
  return {
    ...set,
    ...(tags !== undefined && { tags: withoutUndefined(tags) }),
    ...(timeouts !== undefined && { timeouts: withoutUndefined(timeouts) }),
    ...(retry !== undefined && { retry: withoutUndefined(retry) }),
  } as Options & SetTags;
}

/** What the call may spend, with what is left of a call on whose behalf it is made. */
function spendingOf(
  { budgets }: ResolvedConfig,
  { maxUsd }: CallOptions,
  parent: Spending | undefined,
): { readonly spending?: Spending } {
  if (budgets.length === 0 && maxUsd === undefined && parent === undefined) return {};
  return { spending: new Spending(maxUsd, parent) };
}

/** Reads a call to its end. */
async function collect(parts: AsyncIterator<PluginParts, void>): Promise<WholeCompletion> {
  for (let step = await parts.next(); step.done !== true; step = await parts.next()) {
    const last = step.value.at(-1);
    if (last?.type === 'finish') return last.completion;
  }
  throw new SignalboxError('stream_interrupted', 'the call ended without an answer');
}

/** Whether a plugin does more than listen. */
function isLayer(plugin: Plugin): boolean {
  return (
    plugin.wrapCall !== undefined ||
    plugin.wrapAttempt !== undefined ||
    plugin.onRequest !== undefined ||
    plugin.onParts !== undefined ||
    plugin.eligible !== undefined ||
    plugin.accept !== undefined ||
    plugin.onToolCall !== undefined ||
    plugin.onEnd !== undefined
  );
}

/** The calls of one router. */
export class Calls {
  readonly #engine: Engine;
  readonly #starter: CallStarter;

  /** `drilled` returns how a call runs that a fire drill takes. */
  constructor(engine: Engine, drilled: (call: Call) => Drilled | undefined) {
    this.#engine = engine;
    this.#starter = new CallStarter(engine, drilled, (call, scope, ...around) =>
      this.#makerFor(call, scope, ...around),
    );
  }

  /** Calls in flight. */
  get size(): number {
    return this.#starter.size;
  }

  /** @throws SignalboxError `config` for an unknown tier, bad messages or bad options */
  openChat(
    context: CallContext,
    mode: Call['mode'],
    tier: string,
    messages: Messages,
    options: CallOptions | undefined,
  ): Call {
    const task = (of: ResolvedTier, checked: CallOptions): Task => chatTask(messages, checked, of);
    return this.#open(context, { tier, options, kind: 'chat', mode, task });
  }

  async complete(
    context: CallContext,
    tier: string,
    messages: Messages,
    options: CallOptions | undefined,
  ): Promise<Completion> {
    const call = this.openChat(context, 'complete', tier, messages, options);
    // Awaited, since to return a promise takes longer.
    return await collect(this.#starter.start(call));
  }

  /**
   * Nothing happens before the first read; the configuration is that of then. With plugins, all of it runs in the async
   * context of this call, whoever reads it: a trace continues where the stream was made.
   */
  stream(
    context: () => CallContext,
    tier: string,
    messages: Messages,
    options: CallOptions | undefined,
  ): CompletionStream {
    const inContext = context().plugins.length === 0 ? undefined : currentContext();
    return createCompletionStream(async (leaving) => {
      const call = this.openChat(context(), 'stream', tier, messages, options);
      return this.#starter.start(call, { leaving, inContext });
    }, this.#engine.runtime);
  }

  embed(
    context: CallContext,
    tier: string,
    values: string | readonly string[],
    options: EmbedOptions | undefined,
  ): Promise<Embeddings> {
    const open = (task: Question<EmbedOptions>['task']): Call =>
      this.#open(context, { tier, options, kind: 'embed', mode: 'complete', task });
    return embedValues(this.#engine, values, open, (call) => collect(this.#starter.start(call)));
  }

  async image(
    context: CallContext,
    tier: string,
    prompt: string,
    options: ImageOptions | undefined,
  ): Promise<Images> {
    const task = (_: ResolvedTier, checked: ImageOptions): Task => imageTask(prompt, checked);
    const question = { tier, options, kind: 'image', mode: 'complete', task } as const;
    return toImages(await collect(this.#starter.start(this.#open(context, question))));
  }

  /** Rejects new calls, waits up to `drainMs`, and aborts the rest. */
  close(drainMs: number): Promise<void> {
    return this.#starter.close(drainMs);
  }

  /** Checks and normalizes what the user gave, once. */
  #open<Options extends CallOptions>(
    { config, plugins, within }: CallContext,
    { kind, mode, ...question }: Question<Options>,
  ): Call {
    const called = findTier(config, question.tier);
    if (question.options !== undefined) {
      checkCallOptions(question.options, this.#engine.providers, kind);
    }
    const options = setOptions(question.options ?? ({} as Options));
    const asked = question.task(called, options);
    const tags = { ...config.tags, ...called.tags, ...options.tags };
    // Targets can set one of their own, but which of them answers is not known yet.
    const { system = called.targets[0]?.options.system } = options;
    const { tier, rule }: Routed =
      config.rules.length === 0
        ? { tier: called }
        : routeByRule(config, { called, tags, task: asked, system }, this.#engine.runtime);
    const isElsewhere = tier.name !== called.name;
    const task = isElsewhere ? question.task(tier, options) : asked;
    const requires = [called.requires, isElsewhere ? tier.requires : undefined, options.requires];
    return {
      id: this.#engine.runtime.createId('call'),
      kind,
      config,
      called,
      tier,
      ...(rule !== undefined && { rule }),
      requires: [...(within?.requires ?? []), ...requires.filter((each) => each !== undefined)],
      options,
      task,
      tags,
      ...spendingOf(config, options, within?.spending),
      mode,
      plugins: plugins.filter((each) => isLayer(each) && appliesTo(each, [called, tier])),
      watchers: within?.watchers.filter((each) => appliesTo(each, [called, tier])) ?? [],
      ...(within !== undefined && { parent: within.parent }),
    };
  }

  /** What makes the calls of a plugin: they end with its call, and pass the plugins inside of it. */
  #makerFor(
    { id: parent, config, requires, drill, spending }: Call,
    scope: Scope,
    inside: readonly Plugin[],
    watchers: readonly Plugin[],
  ): CallMaker {
    // The last one makes the fault of a drill, which takes calls for itself.
    const plugins = drill === undefined ? inside : inside.slice(0, -1);
    const context = { config, plugins, within: { requires, watchers, parent, spending } };
    const withinScope = <Options extends Pick<CallOptions, 'signal' | 'timeouts'>>(
      options: Options | undefined,
    ) => {
      const signals = [scope.signal, options?.signal].filter((each) => each !== undefined);
      const remainingMs = Math.max(1, scope.remainingMs());
      const totalMs = Math.min(options?.timeouts?.totalMs ?? remainingMs, remainingMs);
      const timeouts = { ...options?.timeouts, totalMs };
      return { ...options, signal: AbortSignal.any(signals), timeouts };
    };
    return {
      ask: async (tier, messages, options) =>
        this.complete(context, tier, messages, withinScope(options)),
      embed: async (tier, values, options) =>
        this.embed(context, tier, values, withinScope(options)),
      fork: async ({ rule: _rule, drill: _drill, ...call }, { target, tags }) => {
        const fork = {
          ...call,
          id: this.#engine.runtime.createId('call'),
          tier: this.#tierOf(call, target),
          ...(spending !== undefined && { spending: new Spending(undefined, spending) }),
          options: withinScope({ ...call.options, route: {} }),
          tags: { ...config.tags, ...call.called.tags, ...withoutUndefined(tags ?? {}) },
          mode: 'complete',
          plugins,
          watchers,
          parent,
        } as const;
        return collect(this.#starter.start(fork));
      },
    };
  }

  /** The call's tier with one target only, which need not be one of its own. */
  #tierOf({ tier, config }: Call, id: string): ResolvedTier {
    const { provider, model } = splitTarget(id);
    if (!this.#engine.providers.has(provider)) {
      throw new SignalboxError('config', `target: provider ${quoted(provider)} is not configured`);
    }
    const { fallbackTier: _, fallbacks: __, ...alone } = tier;
    const known = [tier, ...config.tiers.values()]
      .flatMap(targetsOf)
      .find((each) => each.id === id);
    const made: ResolvedTarget = {
      id,
      provider,
      model,
      tier: tier.name,
      weight: 1,
      limits: {},
      tags: {},
      options: {},
    };
    const strategy = { name: 'priority', strategy: builtInStrategies.priority() };
    return { ...alone, strategy, targets: [known ?? made] };
  }
}

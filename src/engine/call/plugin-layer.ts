import { isSignalboxError, SignalboxError } from '../../errors.ts';
import { currentContext, type InContext } from '../../internal/async-context.ts';
import type { Part, ToolCallPart } from '../../protocol/message.ts';
import type {
  NextOptions,
  PartsHook,
  Plugin,
  PluginAnswer,
  PluginCall,
  PluginCallEnd,
  PluginParts,
  PluginRequest,
} from '../../protocol/plugin.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { invalidOutput } from '../answer/answer-check.ts';
import { textOf } from '../core/collected.ts';
import type { LayerAttempt } from '../core/engine.ts';
import { type Ending, endingOf, type Scope, setAlarm, untilEnded } from '../core/scope.ts';

/** Runs what is inside of a layer. */
export type Next = (options?: Pick<NextOptions, 'signal'>) => AsyncIterable<PluginParts>;

/** Runs it once for all calls that share it under a text. With a signal, this one is among them until that aborts. */
type Share = (
  text: string,
  next: Next,
  signal: AbortSignal | undefined,
) => AsyncIterable<PluginParts>;

type ToolCallHook = NonNullable<Plugin['onToolCall']>;

type ToolCallDecision = Awaited<ReturnType<ToolCallHook>>;

/** A tool call, once `part` is known as it looks outside of the layer. */
type DecidedCall = { readonly decision: Promise<ToolCallDecision>; part?: Part };

type PluginPart = PluginParts[number];

/** How long an `onEnd` may take once its call was aborted, or is over time. */
const lateEndMs = 5000;

function isContent(part: PluginPart): boolean {
  return (
    part.type.endsWith('-delta') || part.type === 'tool-call-start' || part.type === 'part-end'
  );
}

/** The tool call that the part belongs to. */
function toolCallIdOf(part: PluginPart): string | undefined {
  if (part.type === 'tool-call-start' || part.type === 'tool-call-delta') return part.id;
  return part.type === 'part-end' && part.part.type === 'tool-call' ? part.part.id : undefined;
}

/** The parts of a whole tool call, as a stream has them. */
function partsOfToolCall(part: ToolCallPart): PluginParts {
  const { id, name, input } = part;
  return [
    { type: 'tool-call-start', id, name },
    { type: 'tool-call-delta', id, delta: JSON.stringify(input) },
    { type: 'part-end', part },
  ];
}

/** The answer with another content. */
export function withContent(answer: PluginAnswer, content: readonly Part[]): PluginAnswer {
  return {
    ...answer,
    content,
    text: textOf(content),
    reasoningText: content.map((part) => (part.type === 'reasoning' ? part.text : '')).join(''),
    toolCalls: content.filter(
      (part) => part.type === 'tool-call' && part.denied === undefined,
    ) as ToolCallPart[],
  };
}

/**
 * One plugin around one call. Each method is a hook with its failures handled: a plugin that throws fails the call with
 * `plugin_failed`, or is passed over with `failOpen`. One that is waited for is so until `end`: that of the request which it is
 * part of, which may go on after the call for others that share it.
 */
export class PluginLayer {
  readonly plugin: Plugin;
  readonly call: PluginCall;
  readonly #scope: Scope;
  /** What was decided on tool calls, so that the stream and the whole answer agree. */
  readonly #toolCalls = new Map<string, DecidedCall>();
  /** Errors that come from inside of this layer. They pass through the `wrap` hooks. */
  readonly #passing = new WeakSet<object>();

  constructor(plugin: Plugin, call: PluginCall, scope: Scope) {
    this.plugin = plugin;
    this.call = call;
    this.#scope = scope;
  }

  /** Whether the answer may look different outside of this layer. */
  get changesAnswers(): boolean {
    return this.plugin.onParts !== undefined || this.plugin.onToolCall !== undefined;
  }

  async request(request: PluginRequest, end: Ending): Promise<PluginRequest> {
    const { onRequest, name } = this.plugin;
    if (onRequest === undefined) return request;
    const run = () => onRequest.call(this.plugin, request, this.call);
    const result = await this.#hook(run, request, end);
    if (!('block' in result)) return result;
    const { rule } = result.block;
    this.call.verdict({ ...result.block, kind: 'block' });
    const message = `plugin "${name}" blocked the request (rule "${rule}")`;
    throw new SignalboxError('policy_blocked', message, { policy: name, rule });
  }

  exclusion(target: Parameters<NonNullable<Plugin['eligible']>>[0]): string | undefined {
    const { eligible, failOpen } = this.plugin;
    if (eligible === undefined) return undefined;
    try {
      const result = eligible.call(this.plugin, target, this.call);
      return result === true ? undefined : result;
    } catch (error) {
      if (failOpen === true) return undefined;
      throw this.#failed(error);
    }
  }

  /** @throws SignalboxError `invalid_output` when the plugin rejects the answer */
  async accept(answer: PluginAnswer, end: Ending): Promise<void> {
    const { accept, name } = this.plugin;
    if (accept === undefined) return;
    const run = () => accept.call(this.plugin, answer, this.call);
    const verdict = await this.#hook(run, true, end);
    if (verdict === true) return;
    const reason = verdict === false ? 'it was not accepted' : verdict.reason;
    throw invalidOutput(`plugin "${name}" rejected it; see cause`, reason);
  }

  /** The content of an answer as it looks outside of this layer. */
  async view(content: readonly Part[], end: Ending): Promise<readonly Part[]> {
    if (!this.changesAnswers) return content;
    const filter = this.#filter(end);
    const parts = content.map((part): PluginPart => ({ type: 'part-end', part }));
    const seen = [...(await filter.parts(parts)), ...(await filter.end())];
    return seen.flatMap((part) => (part.type === 'part-end' ? part.part : []));
  }

  /** @throws SignalboxError when the plugin fails, or the call ends meanwhile */
  async ended(outcome: PluginCallEnd): Promise<void> {
    const { onEnd } = this.plugin;
    if (onEnd === undefined) return;
    const run = () => onEnd.call(this.plugin, outcome, this.call);
    if (this.#scope.reason === undefined) return this.#hook(run, undefined, this.#scope);
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const stop = setAlarm(this.call.runtime, lateEndMs, resolve);
    try {
      await Promise.race([run(), late]);
    } catch (error) {
      if (this.plugin.failOpen !== true) throw this.#failed(error);
    } finally {
      stop();
    }
  }

  /** What is inside of this layer, wrapped; `onAnswer` gets each whole answer and returns it as it looks outside. */
  around(
    next: Next,
    share: Share,
    onAnswer: (answer: PluginAnswer, end: Ending) => Promise<PluginAnswer>,
  ): Next {
    return (options) => {
      const end = options?.signal === undefined ? this.#scope : endingOf(options.signal);
      const seen = (answer: PluginAnswer) => onAnswer(answer, end);
      return this.#outgoing(this.#wrapped(next, share, options), seen, end);
    };
  }

  /** An attempt, wrapped. */
  send(
    attempt: LayerAttempt,
    send: () => AsyncIterable<readonly ProviderPart[]>,
  ): AsyncIterable<readonly ProviderPart[]> {
    const { wrapAttempt } = this.plugin;
    if (wrapAttempt === undefined) return send();
    const wrap = (next: typeof send) =>
      wrapAttempt.call(this.plugin, { ...attempt, call: this.call }, next);
    return this.#wrap(wrap, send, (error) => isSignalboxError(error));
  }

  #wrapped(next: Next, share: Share, options: Parameters<Next>[0]): AsyncIterable<PluginParts> {
    const { wrapCall } = this.plugin;
    if (wrapCall === undefined) return next(options);
    // `next` takes options, which a plugin may set: its own signal replaces that of the layers outside.
    let chosen = options;
    let shared: string | undefined;
    const wrap = (run: () => AsyncIterable<PluginParts>) =>
      wrapCall.call(this.plugin, this.call, (set) => {
        chosen = set?.signal === undefined ? options : set;
        shared = set?.share;
        return run();
      });
    return this.#wrap(
      wrap,
      () => (shared === undefined ? next(chosen) : share(shared, next, chosen?.signal)),
      () => false,
    );
  }

  /** Runs a `wrap` hook. With `failOpen`, one that fails before it has started what is inside is passed over. */
  async *#wrap<Batch>(
    wrap: (next: () => AsyncIterable<Batch>) => AsyncIterable<Batch>,
    inside: () => AsyncIterable<Batch>,
    isOwn: (error: unknown) => boolean,
  ): AsyncGenerator<Batch, void> {
    let hasStarted = false;
    let hasYielded = false;
    const next = (): AsyncIterable<Batch> => {
      if (hasStarted) throw new Error('next() was called twice');
      hasStarted = true;
      return this.#marked(inside, currentContext());
    };
    try {
      for await (const batch of wrap(next)) {
        hasYielded = true;
        yield batch;
      }
    } catch (error) {
      if (isOwn(error) || this.#isPassing(error)) throw error;
      if (this.plugin.failOpen !== true || hasStarted || hasYielded) throw this.#failed(error);
      yield* inside();
    }
  }

  /** What is inside: read in the async context in which `next()` was called, its errors marked. */
  #marked<Batch>(inside: () => AsyncIterable<Batch>, inContext: InContext): AsyncIterable<Batch> {
    const mark = (error: unknown): never => {
      if (typeof error === 'object' && error !== null) this.#passing.add(error);
      throw error;
    };
    return {
      [Symbol.asyncIterator]: () => {
        const source = inContext(() => inside()[Symbol.asyncIterator]());
        return {
          next: () => inContext(() => source.next().catch(mark)),
          return: async () => {
            await inContext(() => source.return?.());
            return { done: true, value: undefined };
          },
        };
      },
    };
  }

  /** The parts as they leave the layer. */
  async *#outgoing(
    source: AsyncIterable<PluginParts>,
    onAnswer: (answer: PluginAnswer) => Promise<PluginAnswer>,
    end: Ending,
  ): AsyncGenerator<PluginParts, void> {
    const filter = this.changesAnswers ? this.#filter(end) : undefined;
    for await (const batch of source) {
      const out: PluginPart[] = [];
      let content: PluginPart[] = [];
      const flush = async (): Promise<void> => {
        if (content.length > 0) out.push(...((await filter?.parts(content)) ?? content));
        content = [];
      };
      for (const part of batch) {
        if (isContent(part)) {
          content.push(part);
          continue;
        }
        await flush();
        if (part.type === 'restart') filter?.restart();
        if (part.type === 'finish') {
          if (filter !== undefined) out.push(...(await filter.end()));
          out.push({ type: 'finish', completion: await onAnswer(part.completion) });
        } else out.push(part);
      }
      await flush();
      if (out.length > 0) yield out;
    }
  }

  /** One answer on its way through `onToolCall` and `onParts`. */
  #filter(end: Ending) {
    const { onParts, onToolCall } = this.plugin;
    let hook: PartsHook | undefined = this.#now(() => onParts?.call(this.plugin, this.call));
    const held = new Map<string, PluginPart[]>();

    const guard = async (batch: PluginParts): Promise<PluginParts> => {
      if (onToolCall === undefined) return batch;
      const passed: PluginPart[] = [];
      for (const part of batch) {
        const id = toolCallIdOf(part);
        if (id === undefined) passed.push(part);
        else if (part.type !== 'part-end' || part.part.type !== 'tool-call') {
          held.set(id, [...(held.get(id) ?? []), part]);
        } else {
          const before = held.get(id) ?? [];
          held.delete(id);
          passed.push(...(await this.#decided(onToolCall, part.part, before, end)));
        }
      }
      return passed;
    };
    const through = async (
      run: (hook: PartsHook) => PluginParts | Promise<PluginParts> | undefined,
      otherwise: PluginParts,
    ) => {
      const current = hook;
      if (current === undefined) return otherwise;
      try {
        return (await untilEnded(Promise.resolve(run(current)), end)) ?? otherwise;
      } catch (error) {
        if (this.#isEnd(error, end) || this.plugin.failOpen !== true)
          throw this.#failed(error, end);
        hook = undefined;
        return otherwise;
      }
    };
    return {
      parts: async (batch: PluginParts): Promise<PluginParts> => {
        const passed = await guard(batch);
        return passed.length === 0 ? passed : through((each) => each.parts(passed), passed);
      },
      restart: (): void => {
        held.clear();
        this.#now(() => hook?.restart?.());
      },
      end: (): Promise<PluginParts> => through((each) => each.end?.(), []),
    };
  }

  /** The parts of a tool call, once the plugin has decided on it. */
  async #decided(
    onToolCall: ToolCallHook,
    toolCall: ToolCallPart,
    before: readonly PluginPart[],
    end: Ending,
  ): Promise<PluginParts> {
    const key = JSON.stringify([toolCall.id, toolCall.name, toolCall.input]);
    const known = this.#toolCalls.get(key) ?? {
      decision: (async () => onToolCall.call(this.plugin, toolCall, this.call))(),
    };
    this.#toolCalls.set(key, known);
    const decision = await this.#hook(() => known.decision, 'allow' as const, end);
    known.part ??= this.#afterDecision(toolCall, decision);
    const { part } = known;
    if (part === toolCall) return [...before, { type: 'part-end', part }];
    const isDenied = part.type === 'tool-call' && part.denied !== undefined;
    if (before.length === 0 || isDenied || part.type !== 'tool-call')
      return [{ type: 'part-end', part }];
    return partsOfToolCall(part);
  }

  #afterDecision(toolCall: ToolCallPart, decision: ToolCallDecision): Part {
    if (decision === 'allow') return toolCall;
    if ('deny' in decision) {
      this.call.verdict({ kind: 'deny', rule: decision.deny });
      const { deny: rule, ...more } = decision;
      return { ...toolCall, denied: { plugin: this.plugin.name, rule, ...more } };
    }
    const { rawInput: _, invalid: _invalid, ...rest } = toolCall;
    return { ...rest, input: decision.replace };
  }

  /** Runs a hook until `end`. `otherwise` is the result of one that fails with `failOpen`. */
  async #hook<Result>(
    run: () => Result | Promise<Result>,
    otherwise: Result,
    end: Ending,
  ): Promise<Result> {
    try {
      return await untilEnded(Promise.resolve(run()), end);
    } catch (error) {
      if (!this.#isEnd(error, end) && this.plugin.failOpen === true) return otherwise;
      throw this.#failed(error, end);
    }
  }

  #now<Result>(run: () => Result): Result | undefined {
    try {
      return run();
    } catch (error) {
      if (this.plugin.failOpen === true) return undefined;
      throw this.#failed(error);
    }
  }

  #isPassing(error: unknown): boolean {
    if (error === this.#scope.reason) return true;
    return typeof error === 'object' && error !== null && this.#passing.has(error);
  }

  /** Whether it is the end of the call, or of the request, and so not the plugin's failure. */
  #isEnd(error: unknown, end: Ending): boolean {
    return error !== undefined && (error === this.#scope.reason || error === end.reason);
  }

  #failed(cause: unknown, end: Ending = this.#scope): unknown {
    if (this.#isEnd(cause, end)) return cause;
    const { name } = this.plugin;
    const message = `plugin "${name}" failed; see cause`;
    return new SignalboxError('plugin_failed', message, { cause, policy: name });
  }
}

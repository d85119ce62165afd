import {
  type Attributes,
  context,
  createNoopMeter,
  type MeterProvider,
  metrics as metricsApi,
  ProxyTracerProvider,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import type { Tags } from '../../protocol/completion.ts';
import type { RouterEvents } from '../../protocol/events.ts';
import type { Part } from '../../protocol/message.ts';
import type { PluginAttempt } from '../../protocol/plugin.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { answerContent, requestContent } from './content.ts';
import { Metrics } from './metrics.ts';
import { genAi, own, scope } from './names.ts';
import {
  type AttemptEnding,
  attemptAttributes,
  endAttemptSpan,
  endCallSpan,
  type OpenSpan,
  requestAttributes,
  startAttemptSpan,
  startCallSpan,
} from './spans.ts';

export type OpenTelemetryOptions = {
  /** @default the global one, when the first call starts */
  readonly tracerProvider?: TracerProvider | undefined;
  /** @default the global one, when the first call starts */
  readonly meterProvider?: MeterProvider | undefined;
  /**
   * Puts prompts, system prompts, tools, stop sequences and answers on the spans of attempts, as they are sent and as the
   * vendor returns them. Bytes of images, audio and files are left out.
   * @default false
   */
  readonly recordContent?: boolean | undefined;
  /**
   * Tags that become attributes of metrics, as `signalbox.tag.<name>`. Each combination of their values is a time series of
   * its own: name no tag with many values, and none that identifies a person.
   * @default []
   */
  readonly metricTags?: readonly string[] | undefined;
  /** Emits the former names of the GenAI conventions too, which older boards and collectors read. @default false */
  readonly legacyNames?: boolean | undefined;
};

type OpenAttempt = OpenSpan & {
  /** What identifies it in metrics. */
  readonly attributes: Attributes;
  readonly isStreamed: boolean;
};

type OpenCall = OpenSpan & {
  readonly kind: 'chat' | 'embed' | 'image';
  /** By number. */
  readonly attempts: Map<number, OpenAttempt>;
  /** The tags in metrics, of each attempt that has started. */
  readonly tags: Map<number, Attributes>;
  /** Whether it passes this plugin. Otherwise another plugin makes it, and only its events are known. */
  isWrapped: boolean;
  isOver: boolean;
};

export type EventOfCall = { readonly callId: string | null; readonly tags: Tags };

export function hasMethod(value: unknown, name: string): value is object {
  return (
    typeof value === 'object' && value !== null && typeof Reflect.get(value, name) === 'function'
  );
}

/** What the API returns as long as no SDK is registered. */
const noTracerProvider = new ProxyTracerProvider().getDelegate();
const noMeter = createNoopMeter();

/** Spans and metrics of one router. */
export class Telemetry {
  readonly #options: OpenTelemetryOptions;
  readonly #legacyNames: boolean;
  readonly #calls = new Map<string, OpenCall>();
  /** The targets whose circuit has been reported. */
  readonly #circuits = new Set<string>();
  #instruments: Metrics | undefined;

  constructor(options: OpenTelemetryOptions) {
    this.#options = options;
    this.#legacyNames = options.legacyNames === true;
  }

  /** Whether nothing records: no SDK was given, and none is registered. */
  get isIdle(): boolean {
    const { tracerProvider, meterProvider } = this.#options;
    if (tracerProvider !== undefined || meterProvider !== undefined) return false;
    const traces = trace.getTracerProvider();
    const isUntraced =
      traces instanceof ProxyTracerProvider && traces.getDelegate() === noTracerProvider;
    return isUntraced && metricsApi.getMeterProvider().getMeter(scope.name) === noMeter;
  }

  get #tracer() {
    const provider = this.#options.tracerProvider ?? trace.getTracerProvider();
    return provider.getTracer(scope.name);
  }

  /** Made late: an application may start the SDK after the router. */
  get metrics(): Metrics {
    const provider = this.#options.meterProvider ?? metricsApi.getMeterProvider();
    this.#instruments ??= new Metrics(provider.getMeter(scope.name), this.#legacyNames);
    return this.#instruments;
  }

  tagsOf({ tags }: EventOfCall): Attributes {
    const attributes: Attributes = {};
    for (const name of this.#options.metricTags ?? []) {
      const value = tags[name];
      if (value !== undefined) attributes[own.tag + name] = value;
    }
    return attributes;
  }

  callStarted(event: RouterEvents['call-start']): void {
    if (this.isIdle) return;
    const { callId, kind } = event;
    const call = startCallSpan(this.#tracer, event);
    const maps = { attempts: new Map(), tags: new Map() };
    this.#calls.set(callId, { ...call, ...maps, kind, isWrapped: false, isOver: false });
  }

  callEnded(event: RouterEvents['call-end']): void {
    const { callId, tier, status, durationMs, error } = event;
    const call = this.#calls.get(callId);
    if (call === undefined) return;
    endCallSpan(call.span, event);
    call.isOver = true;
    this.#release(callId, call);
    this.metrics.histograms.callDuration.record(durationMs / 1000, {
      ...this.tagsOf(event),
      [own.tier]: tier,
      [own.status]: status,
      ...(error !== undefined && { [genAi.errorType]: error.code }),
    });
  }

  #release(callId: string, call: OpenCall): void {
    if (call.isOver && call.attempts.size === 0) this.#calls.delete(callId);
  }

  /** Adds an event to the call's span. */
  noted({ callId }: EventOfCall, name: string, attributes: Attributes): void {
    if (callId !== null) this.#calls.get(callId)?.span.addEvent(name, attributes);
  }

  /** The context of what is inside of the call's layer. */
  inCall<Result>(callId: string, run: () => Result): Result {
    const call = this.#calls.get(callId);
    if (call === undefined) return run();
    call.isWrapped = true;
    return context.with(call.context, run);
  }

  attemptStarted(event: RouterEvents['attempt-start']): void {
    const { callId, attempt, target } = event;
    const call = this.#calls.get(callId);
    if (call === undefined) return;
    this.#circuitSeen(target);
    call.tags.set(attempt, this.tagsOf(event));
    // Of an attempt that passes this plugin, more is known when it is sent.
    if (!call.isWrapped) this.#openUnseen(call, event);
  }

  /** Opens the span of an attempt of which only the events are known. */
  #openUnseen(
    call: OpenCall,
    event: RouterEvents['attempt-start' | 'attempt-end'],
    startTime?: number,
  ): void {
    const { callId, attempt } = event;
    const attributes = attemptAttributes(event, call.kind, {}, this.#legacyNames);
    const known = { ...attributes, [own.callId]: callId, [own.attempt]: attempt };
    const opened = startAttemptSpan(this.#tracer, call, known, startTime);
    call.attempts.set(attempt, { ...opened, attributes, isStreamed: false });
  }

  /** Sends an attempt in the context of its span. */
  send(
    attempt: PluginAttempt,
    next: () => AsyncIterable<readonly ProviderPart[]>,
  ): AsyncIterable<readonly ProviderPart[]> {
    const { call: seen, target, transfer, options } = attempt;
    const call = this.#calls.get(seen.id);
    if (call === undefined) return next();
    const identity = { target, tier: seen.tier };
    const attributes = attemptAttributes(identity, call.kind, attempt, this.#legacyNames);
    const { recordContent = false } = this.#options;
    const asked = {
      ...attributes,
      ...requestAttributes(attempt),
      ...(recordContent && requestContent(seen.innermost.request, options)),
    };
    const opened = startAttemptSpan(this.#tracer, call, asked);
    const isStreamed = transfer === 'stream';
    const state = { ...opened, attributes, isStreamed };
    call.attempts.set(attempt.attempt, state);
    const parts = context.with(opened.context, next);
    const content: Part[] = [];
    void attempt.ended.then((result) => {
      if (recordContent && content.length > 0) {
        opened.span.setAttributes(answerContent(content, result.finishReason));
      }
      const { outcome, cost } = result;
      if (outcome === 'skipped') return;
      const { id: callId, tags, tier } = seen;
      const { attempt: number } = attempt;
      const usd = cost === undefined ? {} : { usd: cost };
      this.#ended({ ...result, ...usd, outcome, callId, attempt: number, tags, tier });
    });
    if (!isStreamed && !recordContent) return parts;
    const measured = { ...attributes, ...call.tags.get(attempt.attempt) };
    return this.#observed(parts, attempt, { measured, content });
  }

  /** The parts as they are, with the time between them measured, and with the whole ones kept if content is recorded. */
  #observed(
    parts: AsyncIterable<readonly ProviderPart[]>,
    { call, transfer }: PluginAttempt,
    { measured, content }: { readonly measured: Attributes; readonly content: Part[] },
  ): AsyncIterable<readonly ProviderPart[]> {
    const { runtime } = call;
    const { timePerChunk } = this.metrics.histograms;
    const { recordContent } = this.#options;
    let lastAt: number | undefined;
    const seen = (step: IteratorResult<readonly ProviderPart[], unknown>) => {
      if (step.done === true) return step;
      if (transfer === 'stream') {
        const now = runtime.now();
        if (lastAt !== undefined) timePerChunk.record((now - lastAt) / 1000, measured);
        lastAt = now;
      }
      if (recordContent === true) {
        for (const part of step.value) if (part.type === 'part-end') content.push(part.part);
      }
      return step;
    };
    return {
      [Symbol.asyncIterator]() {
        const source = parts[Symbol.asyncIterator]();
        return {
          next: () => source.next().then(seen),
          return: async () => {
            await source.return?.();
            return { done: true, value: undefined };
          },
        };
      },
    };
  }

  /** An attempt that did not pass this plugin, or was not sent, ended. */
  attemptEnded(event: RouterEvents['attempt-end']): void {
    const { callId, attempt, at, durationMs } = event;
    const call = this.#calls.get(callId);
    if (call === undefined) return;
    const isOpen = call.attempts.has(attempt);
    if (call.isWrapped && isOpen) return;
    if (!isOpen) this.#openUnseen(call, event, at - durationMs);
    this.#ended(event);
  }

  #ended(ending: AttemptEnding): void {
    const { callId, attempt: number, servedModel, error } = ending;
    const call = this.#calls.get(callId);
    const attempt = call?.attempts.get(number);
    if (call === undefined || attempt === undefined) return;
    const { span, attributes, isStreamed } = attempt;
    endAttemptSpan(span, { ...ending, isStreamed }, this.#legacyNames);
    const measured = {
      ...attributes,
      ...(servedModel !== undefined && { [genAi.responseModel]: servedModel }),
      ...call.tags.get(number),
    };
    const ended = error === undefined ? measured : { ...measured, [genAi.errorType]: error.code };
    this.metrics.attemptEnded({ ...ending, kind: call.kind, isStreamed }, measured, ended);
    call.attempts.delete(number);
    call.tags.delete(number);
    this.#release(callId, call);
  }

  /** A target without a change has a closed circuit. */
  #circuitSeen(target: string): void {
    if (!this.#circuits.has(target)) this.circuitIs('closed', target);
  }

  circuitIs(state: Parameters<Metrics['circuitIs']>[0], target: string): void {
    this.#circuits.add(target);
    this.metrics.circuitIs(state, { [own.target]: target });
  }

  /** Ends what is left, and hands over what the SDK still holds. The SDK itself is the application's. */
  async close(): Promise<void> {
    for (const { span, attempts } of this.#calls.values()) {
      for (const attempt of attempts.values()) attempt.span.end();
      span.end();
    }
    this.#calls.clear();
    this.#circuits.clear();
    this.#instruments = undefined;
    const { tracerProvider = trace.getTracerProvider() } = this.#options;
    const { meterProvider = metricsApi.getMeterProvider() } = this.#options;
    await Promise.all([flush(tracerProvider), flush(meterProvider)]);
  }
}

/** The global tracer provider is one that hands on to the SDK's. */
async function flush(provider: object): Promise<void> {
  const real: unknown = hasMethod(provider, 'getDelegate')
    ? Reflect.get(provider, 'getDelegate').call(provider)
    : provider;
  if (hasMethod(real, 'forceFlush')) await Reflect.get(real, 'forceFlush').call(real);
}

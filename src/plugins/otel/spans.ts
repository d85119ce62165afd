import {
  type Attributes,
  type Context,
  context,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import type { ErrorSummary } from '../../protocol/attempt.ts';
import type { CallDefaults } from '../../protocol/call-options.ts';
import type { RouterEvents } from '../../protocol/events.ts';
import type { PluginAttempt, PluginAttemptResult } from '../../protocol/plugin.ts';
import { usageAttributes } from './metrics.ts';
import { genAi, legacy, operationName, own, providerName } from './names.ts';

/** How an attempt ended: its event, and what only the attempt itself knows. */
export type AttemptEnding = Omit<RouterEvents['attempt-end'], 'type' | 'at'> &
  Pick<PluginAttemptResult, 'answerId' | 'servedModel' | 'finishReason' | 'reason'>;

/** A span, and the context in which it is active. */
export type OpenSpan = { readonly span: Span; readonly context: Context };

function open(tracer: Tracer, name: string, options: object, parent: Context): OpenSpan {
  const span = tracer.startSpan(name, options, parent);
  return { span, context: trace.setSpan(parent, span) };
}

/** The span of a call, a child of the active one. It has no usage, which would be counted twice. */
export function startCallSpan(tracer: Tracer, event: RouterEvents['call-start']): OpenSpan {
  const { callId, tier, mode, tags, drill } = event;
  const attributes: Attributes = {
    [own.callId]: callId,
    [own.tier]: tier,
    [own.mode]: mode,
    [own.drill]: drill,
  };
  for (const [name, value] of Object.entries(tags)) attributes[own.tag + name] = value;
  const options = { kind: SpanKind.INTERNAL, attributes };
  return open(tracer, `signalbox ${tier}`, options, context.active());
}

export function endCallSpan(span: Span, event: RouterEvents['call-end']): void {
  const { status, target, attempts, usd, error } = event;
  if (span.isRecording()) {
    span.setAttributes({
      [own.status]: status,
      [own.attempts]: attempts,
      [own.target]: target,
      [own.usd]: usd ?? undefined,
      [genAi.errorType]: error?.code,
    });
    if (status === 'error') failed(span, error);
  }
  span.end();
}

function failed(span: Span, error: ErrorSummary | undefined): void {
  if (error === undefined) return;
  // The message has no text of the vendor or the caller.
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
}

/** What identifies an attempt in spans and metrics. */
export function attemptAttributes(
  { target, tier }: { readonly target: string; readonly tier: string },
  kind: 'chat' | 'embed' | 'image',
  { vendor, wire = '' }: Partial<Pick<PluginAttempt, 'vendor' | 'wire'>>,
  legacyNames: boolean,
): Attributes {
  const slash = target.indexOf('/');
  const provider = providerName(vendor ?? target.slice(0, slash), wire);
  return {
    [genAi.operation]: operationName(kind, wire),
    [genAi.provider]: provider,
    [genAi.requestModel]: target.slice(slash + 1),
    ...(legacyNames && { [legacy.provider]: provider }),
    [own.tier]: tier,
    [own.target]: target,
  };
}

/** The span of an attempt, a child of the call's. */
export function startAttemptSpan(
  tracer: Tracer,
  call: OpenSpan,
  attributes: Attributes,
  startTime?: number,
): OpenSpan {
  const name = `${attributes[genAi.operation]} ${attributes[genAi.requestModel]}`;
  const start = startTime === undefined ? {} : { startTime };
  return open(tracer, name, { kind: SpanKind.CLIENT, attributes, ...start }, call.context);
}

/** What the request asks for, without its content. */
export function requestAttributes(attempt: PluginAttempt): Attributes {
  const { call, options, transfer, key } = attempt;
  return {
    [genAi.stream]: transfer === 'stream' ? true : undefined,
    [genAi.outputType]: outputTypeOf(attempt),
    ...samplingAttributes(options),
    [own.callId]: call.id,
    [own.attempt]: attempt.attempt,
    [own.key]: key,
  };
}

function outputTypeOf({ call }: PluginAttempt): string | undefined {
  if (call.kind === 'image') return 'image';
  return call.options.schema === undefined ? undefined : 'json';
}

function samplingAttributes(options: Readonly<CallDefaults>): Attributes {
  return {
    [genAi.maxTokens]: options.maxOutputTokens,
    [genAi.temperature]: options.temperature,
    [genAi.topP]: options.topP,
    [genAi.topK]: options.topK,
    [genAi.seed]: options.seed,
    [genAi.frequencyPenalty]: options.frequencyPenalty,
    [genAi.presencePenalty]: options.presencePenalty,
    [genAi.reasoningLevel]: options.reasoning?.effort,
  };
}

const inSeconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1000);

export function endAttemptSpan(
  span: Span,
  ending: AttemptEnding & { readonly isStreamed: boolean },
  legacyNames: boolean,
): void {
  if (span.isRecording()) {
    const { isStreamed, outcome, verdict, reason, error, usage, usd, queuedMs, firstTokenMs } =
      ending;
    const { answerId, servedModel, finishReason } = ending;
    span.setAttributes({
      [genAi.responseId]: answerId,
      [genAi.responseModel]: servedModel,
      ...(finishReason !== undefined && { [genAi.finishReasons]: [finishReason] }),
      ...(isStreamed && { [genAi.timeToFirstChunk]: inSeconds(firstTokenMs) }),
      ...(usage !== undefined && usageAttributes(usage, legacyNames)),
      [own.estimated]: usage?.estimated,
      [own.usd]: usd ?? undefined,
      [own.outcome]: outcome,
      [own.verdict]: verdict,
      [own.reason]: reason,
      [own.queued]: inSeconds(queuedMs),
      [own.requestId]: error?.requestId,
      [own.httpStatus]: error?.status,
      [genAi.errorType]: error?.code,
    });
    if (outcome === 'error') failed(span, error);
  }
  span.end();
}

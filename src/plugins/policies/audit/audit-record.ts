import { createHash } from 'node:crypto';
import { timestamp } from '../../../internal/timestamp.ts';
import type { ErrorSummary } from '../../../protocol/attempt.ts';
import type { Tags } from '../../../protocol/completion.ts';
import type { RouterEvents } from '../../../protocol/events.ts';
import type { Json } from '../../../protocol/json.ts';
import type { Media, NormalMessage, Part } from '../../../protocol/message.ts';
import type {
  PluginAnswer,
  PluginCall,
  PluginCallEnd,
  PluginRequest,
} from '../../../protocol/plugin.ts';
import type { AuditChain, AuditRecord } from './audit-chain.ts';

/** What a log keeps of requests and answers. */
export type AuditContent = 'none' | 'hash' | 'redacted';

/** Longer names and values are cut: tags may come from a client. */
const maxTags = 64;
const maxTextLength = 1000;

function cut(text: string): string {
  return text.length > maxTextLength ? `${text.slice(0, maxTextLength)}…` : text;
}

function recordedTags(tags: Tags): Json {
  const entries = Object.entries(tags).slice(0, maxTags);
  return Object.fromEntries(entries.map(([name, value]) => [cut(name), cut(String(value))]));
}

/** Tools that the request did not offer are not named: the model made the name up, out of anything. */
function recordedTools(request: PluginRequest, content: readonly Part[]): Json[] {
  const offered = request.kind === 'chat' ? (request.tools ?? []).map(({ name }) => name) : [];
  return content.flatMap((part): Json[] => {
    if (part.type !== 'tool-call') return [];
    const name = offered.includes(part.name) ? part.name : '(not offered)';
    const { denied } = part;
    return [denied === undefined ? { name } : { name, denied: { ...denied } }];
  });
}

function recordedError({ code, status, phase, policy, rule }: ErrorSummary): Json {
  return {
    code,
    ...(status !== undefined && { status }),
    ...(phase !== undefined && { phase }),
    ...(policy !== undefined && { policy }),
    ...(rule !== undefined && { rule }),
  };
}

function recordedVerdicts(verdicts: PluginCallEnd['verdicts']): Json[] {
  return verdicts.map(({ policy, kind, rule, counts }) => ({
    policy,
    kind,
    ...(rule !== undefined && { rule: cut(rule) }),
    ...(counts !== undefined && { counts }),
  }));
}

/** Bytes are not text that could be redacted. */
function recordedMedia(media: Media): Json {
  if ('ref' in media) return { ref: media.ref };
  if ('data' in media) {
    const { data, mediaType } = media;
    const sha256 = createHash('sha256').update(data).digest('hex');
    return { mediaType, length: data.length, sha256 };
  }
  const type = media.mediaType === undefined ? {} : { mediaType: media.mediaType };
  const url = URL.canParse(media.url) ? new URL(media.url) : undefined;
  const isWeb = url !== undefined && /^https?:$/.test(url.protocol);
  // A query or a user name may hold a credential.
  return { url: isWeb ? `${url.origin}${url.pathname}` : '(not on the web)', ...type };
}

function isPart(value: Json | Part): value is Part {
  return typeof value === 'object' && value !== null && 'type' in value && 'source' in value;
}

function recordedPart(part: Part): Json {
  switch (part.type) {
    case 'text':
    case 'reasoning':
    case 'refusal':
      return { type: part.type, text: part.text };
    case 'image':
    case 'audio':
      return { type: part.type, source: recordedMedia(part.source) };
    case 'file': {
      const { type, filename } = part;
      return { type, source: recordedMedia(part.source), ...(filename && { filename }) };
    }
    case 'tool-call': {
      const { type, id, name, input, denied } = part;
      return { type, id, name, input, ...(denied && { denied: { ...denied } }) };
    }
    case 'tool-result': {
      const { type, id, name, output } = part;
      const list: Json = Array.isArray(output)
        ? output.map((each) => (isPart(each) ? recordedPart(each) : each))
        : (output as Json);
      return { type, id, name, output: list };
    }
  }
}

function recordedMessage({ role, content }: NormalMessage): Json {
  return { role, content: content.map(recordedPart) };
}

function recordedRequest(request: PluginRequest): Json {
  if (request.kind === 'embed') return { values: request.values };
  if (request.kind === 'image') return { prompt: request.prompt };
  const { system, messages } = request;
  return { ...(system !== undefined && { system }), messages: messages.map(recordedMessage) };
}

/** Request and answer as they were sent and received. A blocked request passed no redaction: only its hash is kept. */
function recordedContent(
  { status, innermost }: PluginCallEnd,
  call: PluginCall,
  content: AuditContent,
  chain: AuditChain,
): Json | undefined {
  if (content === 'none') return undefined;
  const request = innermost?.request ?? call.request;
  const answer = status === 'ok' ? innermost?.answer?.content.map(recordedPart) : undefined;
  if (content === 'redacted') {
    if (innermost === undefined) return undefined;
    return { request: recordedRequest(request), ...(answer && { answer }) };
  }
  const hash = (value: Json): string => chain.hash(JSON.stringify(value));
  return { request: hash(recordedRequest(request)), ...(answer && { answer: hash(answer) }) };
}

function recordedAnswer(answer: PluginAnswer | undefined): { readonly [field: string]: Json } {
  if (answer === undefined) return {};
  const isCached = 'cached' in answer && answer.cached === true;
  return {
    target: answer.target,
    model: cut(answer.model.served),
    finish: answer.finishReason,
    ...(isCached && { cached: true }),
    ...(answer.shared === true && { shared: true }),
  };
}

/** The record of a call. */
export function recordOf(
  end: PluginCallEnd,
  call: PluginCall,
  content: AuditContent,
  chain: AuditChain,
): AuditRecord {
  const { status, answer, error, trail, durationMs, usd, verdicts } = end;
  const attempts = trail.filter(({ outcome }) => outcome !== 'skipped');
  const tokens = (kind: 'inputTokens' | 'outputTokens'): number =>
    attempts.reduce((sum, { usage }) => sum + (usage?.[kind] ?? 0), 0);
  const tools = recordedTools(call.request, answer?.content ?? []);
  const kept = recordedContent(end, call, content, chain);
  return {
    at: timestamp(call.runtime.now()),
    call: call.id,
    ...(call.parent !== undefined && { parent: call.parent }),
    ...(call.drill !== undefined && { drill: call.drill }),
    tags: recordedTags(call.tags),
    kind: call.kind,
    tier: call.tier,
    mode: call.mode,
    status,
    ...recordedAnswer(answer),
    ...(error !== undefined && { error: recordedError(error) }),
    ...(verdicts.length > 0 && { verdicts: recordedVerdicts(verdicts) }),
    ...(tools.length > 0 && { tools }),
    attempts: attempts.map(({ target, outcome, error: failure }) => ({
      target,
      outcome,
      ...(failure !== undefined && { code: failure.code }),
    })),
    inputTokens: tokens('inputTokens'),
    outputTokens: tokens('outputTokens'),
    usd,
    ms: Math.round(durationMs),
    ...(kept !== undefined && { content: kept }),
  };
}

/** A change of what calls are routed to, which has no call. */
type RoutingChange = RouterEvents[
  | 'drift-detected'
  | 'drift-cleared'
  | 'target-demote'
  | 'target-demote-end'];

/** The record of a change of routing. */
export function eventRecordOf(event: RoutingChange): AuditRecord {
  const { type, at, callId: _, tags, tier, ...fields } = event;
  return {
    at: timestamp(at),
    event: type,
    tags: recordedTags(tags),
    ...(tier !== null && { tier }),
    ...(fields as unknown as AuditRecord),
  };
}

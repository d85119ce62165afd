import type { ResolvedTarget } from '../../config/resolve.ts';
import { type SignalboxError, summarizeError } from '../../errors.ts';
import type { ErrorCode } from '../../protocol/error-code.ts';
import type { NormalMessage, TextPart } from '../../protocol/message.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { Collected } from '../core/collected.ts';
import { providerOf } from '../core/engine.ts';
import type { AttemptParts } from './attempt-stream.ts';
import type { Broken, Continuation, Run } from './run.ts';

/** An attempt, as far as another one may continue its answer. */
type Interrupted = {
  readonly target: ResolvedTarget;
  readonly collected: Collected;
  readonly continues: boolean;
  readonly toolCalls: { readonly invalidCall: object | undefined };
};

export function brokenOff(session: Interrupted, error: SignalboxError): Broken {
  const { collected, target } = session;
  return {
    from: target.id,
    error: summarizeError(error),
    partial: collected.partial(target.id),
    // What comes after a call that may not be made is asked for again, with the reason.
    isText: collected.isText && session.toolCalls.invalidCall === undefined,
  };
}

/**
 * What the target is to go on from; `undefined` when it has to begin anew: because the tier wants that, because
 * a tool call or an object is no text to go on from, or because the model is not known to accept a turn of its
 * own that has begun.
 */
export function continuationOn(run: Run, target: ResolvedTarget): Continuation | undefined {
  const { engine, call, chain, broken } = run;
  if (broken === undefined || !broken.isText || call.tier.midStream !== 'continue')
    return undefined;
  if (call.options.schema !== undefined || chain.state(target).refusedPrefill) return undefined;
  const { content } = broken.partial;
  const last = content.at(-1);
  if (last?.type !== 'text' || last.text.trim() === '') return undefined;
  if (!providerOf(engine, target).capabilities(target.model).has('prefill')) return undefined;
  return { content: content.slice(0, -1), text: last.text };
}

/** The turn that the model is to go on with. A final white space is refused by those who take such a turn. */
export function prefillOf({ content, text }: Continuation): NormalMessage {
  const before = content.filter((part) => part.type === 'text');
  return { role: 'assistant', content: [...before, { type: 'text', text: text.trimEnd() }] };
}

const refusals: readonly ErrorCode[] = ['invalid_request', 'unsupported'];

/** Whether the failure is the vendor's way to say that it does not go on with a turn that has begun. */
export function refusesPrefill(session: Interrupted, error: SignalboxError): boolean {
  return session.continues && !session.collected.begun && refusals.includes(error.code);
}

/** Takes off the white space that the text before ends with already: it was not sent, so it may come again. */
function joint(before: string): (delta: string) => string {
  let sent = before.slice(before.trimEnd().length);
  return (delta) => {
    let at = 0;
    while (sent !== '' && delta[at] === sent[0]) {
      sent = sent.slice(1);
      at += 1;
    }
    if (at < delta.length) sent = '';
    return delta.slice(at);
  };
}

/** Parts that may come before the text goes on, and say nothing of it. */
function isAside(part: ProviderPart): boolean {
  return (
    part.type === 'open' ||
    part.type === 'usage' ||
    part.type === 'warning' ||
    part.type === 'reasoning-delta' ||
    (part.type === 'part-end' && part.part.type === 'reasoning')
  );
}

function joined(before: string, part: TextPart): TextPart {
  const rest = joint(before)(part.text);
  const by = before.length + rest.length - part.text.length;
  const citations = part.citations?.map(({ start, end, ...citation }) => ({
    ...citation,
    ...(start !== undefined && { start: start + by }),
    ...(end !== undefined && { end: end + by }),
  }));
  return { ...part, text: before + rest, ...(citations !== undefined && { citations }) };
}

/** One part as it is told after a text that broke off; none when it only repeats the white space at its end. */
function createJoiner(text: string): (part: ProviderPart) => readonly ProviderPart[] {
  const join = joint(text);
  let isJoined = false;
  return (part) => {
    if (isJoined || isAside(part)) return [part];
    if (part.type === 'text-delta') {
      const delta = join(part.delta);
      return delta === '' ? [] : [{ type: 'text-delta', delta }];
    }
    isJoined = true;
    if (part.type === 'part-end' && part.part.type === 'text') {
      return [{ type: 'part-end', part: joined(text, part.part) }];
    }
    // Nothing was left to say: the text ends where it broke off.
    return [{ type: 'part-end', part: { type: 'text', text } }, part];
  };
}

/**
 * The parts of an answer that goes on from a text: its first text part becomes the whole of both. `see` is shown
 * each before it is passed on.
 */
export function joinedTo(
  { text }: Continuation,
  parts: AttemptParts,
  see: (part: ProviderPart) => void,
): AttemptParts {
  const join = createJoiner(text);
  function seen(part: ProviderPart): void {
    try {
      see(part);
    } catch (error) {
      parts.leave();
      throw error;
    }
  }
  async function next(): Promise<readonly ProviderPart[] | undefined> {
    for (let batch = await parts.next(); batch !== undefined; batch = await parts.next()) {
      const joinedBatch = batch.flatMap(join);
      for (const part of joinedBatch) seen(part);
      if (joinedBatch.length > 0) return joinedBatch;
    }
    return undefined;
  }
  return { next, leave: () => parts.leave() };
}

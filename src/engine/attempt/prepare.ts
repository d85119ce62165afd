import { defaults } from '../../config/defaults.ts';
import type { ResolvedTarget } from '../../config/resolve.ts';
import { SignalboxError } from '../../errors.ts';
import type { NormalMessage } from '../../protocol/message.ts';
import type { PreparedCall } from '../../protocol/provider.ts';
import { repairHint } from '../answer/output-check.ts';
import { type Call, type Engine, optionsFor, providerOf } from '../core/engine.ts';
import type { Session } from './attempt.ts';

const droppedCodes: readonly string[] = ['dropped-param', 'dropped-part'];

/**
 * Puts the request into the target's words, before anything is sent.
 * @throws SignalboxError `unsupported` when the target would have to drop something and the caller's
 * `onUnsupported` does not let it.
 */
export function prepareAttempt(
  engine: Engine,
  call: Call,
  target: ResolvedTarget,
  repair: readonly NormalMessage[],
): PreparedCall {
  const options = optionsFor(call, target);
  const asked = call.task.prepare(providerOf(engine, target), { target, options, repair });
  const prepared = engine.drill?.spoil(target.id, asked) ?? asked;
  const onUnsupported = options.onUnsupported ?? defaults.onUnsupported;
  const dropped = prepared.warnings.find((warning) => droppedCodes.includes(warning.code));
  if (dropped === undefined || onUnsupported === 'warn') return prepared;
  throw new SignalboxError(
    'unsupported',
    `lacks ${dropped.param ?? 'something asked for'}: ${dropped.message}`,
    {
      target: target.id,
    },
  );
}

/** The turns that show a model its own answer and why it was refused. */
export function repairTurns(session: Session, error: SignalboxError): readonly NormalMessage[] {
  const { text } = session.collected.partial(session.target.id);
  const hint: NormalMessage = {
    role: 'user',
    content: [{ type: 'text', text: repairHint(error) }],
  };
  return text.trim() === ''
    ? [hint]
    : [{ role: 'assistant', content: [{ type: 'text', text }] }, hint];
}

import type { CheckedFault } from '../../config/drill-options.ts';
import { SignalboxError } from '../../errors.ts';
import type { AttemptContext, PreparedCall } from '../../protocol/provider.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import { drilledReason } from '../core/drill-words.ts';

/** What a vendor's own failure would be, had it been one. */
const failures = {
  connection: { message: 'the connection was refused' },
  rate_limited: { message: 'rate limited', status: 429 },
  server_error: { message: 'the vendor failed', status: 500 },
  overloaded: { message: 'the vendor is overloaded', status: 503 },
} as const;

/** Parts that a reader would see something of; the preamble is not counted. */
function isVisible(part: ProviderPart): boolean {
  return !['open', 'usage', 'warning', 'finish'].includes(part.type);
}

/** The beginning of the vendor's answer; leaving closes its socket. */
async function* beginning(
  answer: AsyncIterable<readonly ProviderPart[]>,
  partCount: number,
): AsyncGenerator<readonly ProviderPart[], void> {
  let left = partCount;
  for await (const batch of answer) {
    const kept: ProviderPart[] = [];
    for (const part of batch) {
      if (part.type === 'finish' || (left === 0 && isVisible(part))) {
        if (kept.length > 0) yield kept;
        return;
      }
      kept.push(part);
      if (isVisible(part)) left -= 1;
      // At once: the next part may be long in coming.
      if (partCount > 0 && left === 0) break;
    }
    yield kept;
    if (partCount > 0 && left === 0) return;
  }
}

type Tools = {
  readonly runtime: Runtime;
  /** Told each time that the fault strikes. */
  readonly strike: () => void;
};

/** One attempt under the fault. Everything above it, from its clocks to the failure table, is as it always is. */
async function* play(
  fault: CheckedFault,
  prepared: PreparedCall,
  context: AttemptContext,
  { runtime, strike }: Tools,
): AsyncGenerator<readonly ProviderPart[], void> {
  const { signal, watch } = context;
  signal.throwIfAborted();
  switch (fault.type) {
    case 'timeout':
      strike();
      watch.connected();
      return runtime.sleep(Number.POSITIVE_INFINITY, signal);
    case 'slow':
      strike();
      // Its clock is the one for the first token: the vendor is there, and thinks.
      watch.connected();
      await runtime.sleep(fault.delayMs, signal);
      yield* prepared.send(context);
      return;
    case 'cut':
    case 'truncated':
      yield* beginning(prepared.send(context), fault.afterParts);
      strike();
      if (fault.type === 'truncated') return;
      throw new SignalboxError('stream_interrupted', drilledReason('the answer broke off'));
    case 'invalid_output':
      strike();
      watch.connected();
      yield [
        { type: 'open' },
        {
          type: 'finish',
          finishReason: 'stop',
          // No vendor was asked, so nothing is to be billed.
          usage: { inputTokens: 0, outputTokens: 0, totalTokens: 0 },
        },
      ];
      return;
    default: {
      strike();
      const { message, ...more } = { status: undefined, ...failures[fault.type] };
      const retryAfterMs = 'retryAfterMs' in fault ? fault.retryAfterMs : undefined;
      throw new SignalboxError(fault.type, drilledReason(message), { ...more, retryAfterMs });
    }
  }
}

/** The same request, which fails when it is sent. */
export function spoil(fault: CheckedFault, prepared: PreparedCall, tools: Tools): PreparedCall {
  return {
    warnings: prepared.warnings,
    send: (context) => play(fault, prepared, context, tools),
  };
}

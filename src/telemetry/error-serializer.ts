import { isSignalboxError, type SignalboxError } from '../errors.ts';
import type { Attempt } from '../protocol/attempt.ts';

/** One line of the trail, for a log. */
export type SerializedAttempt = {
  readonly target: string;
  readonly outcome: Attempt['outcome'];
  readonly code?: string;
  readonly status?: number;
  /** Why the target was skipped. */
  readonly reason?: string;
  readonly durationMs: number;
};

/** An error for a log: at most 2,048 bytes of JSON, without answers, prompts, keys and the vendor's words. */
export type SerializedError = {
  /** Name of the error's class. */
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly tier?: string;
  readonly target?: string;
  readonly status?: number;
  readonly retryAfterMs?: number;
  readonly requestId?: string;
  readonly phase?: string;
  readonly policy?: string;
  readonly rule?: string;
  readonly budget?: string;
  /** US dollars billed for all attempts. `null` if a price is unknown. Absent if nothing was billed. */
  readonly cost?: number | null;
  readonly attempts?: readonly SerializedAttempt[];
  /** Number of further attempts. */
  readonly attemptsLeftOut?: number;
  /** Only for errors of others. */
  readonly stack?: string;
  /** Only for errors of others. A `SignalboxError` has the vendor's words there. */
  readonly cause?: SerializedError;
};

const maxBytes = 2_048;

/** A cause needs some room to say anything. */
const minCauseBytes = 256;

/** In bytes of JSON. */
const longest = { name: 110, reason: 110, message: 700, stack: 600 } as const;

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

/** Cuts a text to that many bytes of JSON, in which one character may have six. */
function clipped(text: string, bytes: number): string {
  if (text.length <= bytes && bytesOf(text) <= bytes) return text;
  let cut = text.slice(0, bytes);
  while (bytesOf(cut) > bytes - 3) cut = cut.slice(0, Math.floor(cut.length * 0.9));
  return `${cut}…`;
}

type Fields = { [Name in keyof SerializedError]?: unknown };

/** The fields that are set, with texts cut to the length of a name. */
function only(fields: Fields): Partial<SerializedError> {
  const set = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    set.map(([name, value]) => [
      name,
      typeof value === 'string' ? clipped(value, longest.name) : value,
    ]),
  );
}

function rowOf({ target, outcome, error, reason, durationMs }: Attempt): SerializedAttempt {
  const why = outcome === 'skipped' ? reason : undefined;
  return {
    target: clipped(target, longest.name),
    outcome,
    ...(error !== undefined && { code: error.code }),
    ...(error?.status !== undefined && { status: error.status }),
    ...(why !== undefined && { reason: clipped(why, longest.reason) }),
    durationMs: Math.round(durationMs),
  };
}

/** US dollars; `null` if one is unknown, `undefined` if nothing was billed. */
function costOf(trail: readonly Attempt[]): number | null | undefined {
  const bills = trail.flatMap(({ cost }) => (cost === undefined ? [] : [cost]));
  if (bills.length === 0) return undefined;
  return bills.reduce((sum, usd) => (sum === null || usd === null ? null : sum + usd), 0);
}

function serializeOurs(error: SignalboxError, bytes: number): SerializedError {
  const {
    code,
    tier,
    target,
    status,
    retryAfterMs,
    requestId,
    phase,
    policy,
    rule,
    budget,
    trail,
  } = error;
  const entry: SerializedError = {
    type: 'SignalboxError',
    message: clipped(error.message, Math.min(longest.message, Math.floor(bytes / 3))),
    ...only({ code, tier, target, status, retryAfterMs, requestId, phase, policy, rule, budget }),
    ...only({ cost: costOf(trail) }),
  };
  const attempts: SerializedAttempt[] = [];
  let left = bytes - bytesOf(entry) - bytesOf({ attempts, attemptsLeftOut: trail.length });
  for (const line of trail) {
    const row = rowOf(line);
    left -= bytesOf(row) + 1;
    if (left < 0) break;
    attempts.push(row);
  }
  const attemptsLeftOut = trail.length - attempts.length;
  return {
    ...entry,
    ...(attempts.length > 0 && { attempts }),
    ...(attemptsLeftOut > 0 && { attemptsLeftOut }),
  };
}

/** The frames of a stack. Its first lines repeat the message. */
function framesOf(stack: unknown): string | undefined {
  const lines = typeof stack === 'string' ? stack.slice(0, 20_000).split('\n') : [];
  const frames = lines.filter((line) => /^ +at /.test(line)).map((line) => line.trim());
  return frames.length === 0 ? undefined : clipped(frames.join('\n'), longest.stack);
}

/** A `VendorError`, the cause of a `SignalboxError`, has the vendor's words as its message. */
function messageOf({ name, message }: Partial<Error>): string {
  if (name === 'VendorError')
    return "the vendor's words, which may repeat a prompt, are not logged";
  return typeof message === 'string' ? message : 'not an error';
}

function serializeOther(error: object, bytes: number, seen: ReadonlySet<object>): SerializedError {
  const {
    name,
    code,
    status,
    stack,
    cause,
  }: Partial<Error> & { code?: unknown; status?: unknown } = error;
  const frames = bytes === maxBytes ? framesOf(stack) : undefined;
  const entry: SerializedError = {
    type: typeof name === 'string' ? clipped(name, longest.name) : 'object',
    message: clipped(messageOf(error), Math.min(longest.message, Math.floor(bytes / 3))),
    ...only({ code: typeof code === 'string' || typeof code === 'number' ? code : undefined }),
    ...only({ status: typeof status === 'number' ? status : undefined }),
    ...(frames !== undefined && { stack: frames }),
  };
  const left = bytes - bytesOf(entry) - bytesOf({ cause: '' });
  if (cause === undefined || cause === null || left < minCauseBytes) return entry;
  if (typeof cause === 'object' && seen.has(cause)) return entry;
  return { ...entry, cause: serialize(cause, left, seen) };
}

function serialize(error: unknown, bytes: number, seen: ReadonlySet<object>): SerializedError {
  if (typeof error !== 'object' || error === null) {
    const type = error === null ? 'null' : typeof error;
    return { type, message: clipped(String(error), Math.floor(bytes / 3)) };
  }
  const entry = isSignalboxError(error)
    ? serializeOurs(error, bytes)
    : serializeOther(error, bytes, new Set([...seen, error]));
  if (bytesOf(entry) <= bytes) return entry;
  return { type: clipped(entry.type, 60), message: clipped(entry.message, bytes / 3) };
}

/**
 * Converts an error to a small object for a log, for example with `pino({ serializers: { err: errorSerializer } })`. A
 * `SignalboxError` keeps what describes the failure and loses its `cause` and `partial`. Other errors keep their name,
 * message, code, stack and causes. Never throws.
 */
export function errorSerializer(error: unknown): SerializedError {
  try {
    return serialize(error, maxBytes, new Set());
  } catch {
    return { type: typeof error, message: 'the error cannot be read' };
  }
}

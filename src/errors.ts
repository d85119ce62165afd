import type { Attempt, ErrorSummary } from './protocol/attempt.ts';
import type { PartialAnswer } from './protocol/completion.ts';
import type { ErrorCode, TimeoutPhase } from './protocol/error-code.ts';

/** Shared over duplicate copies of the package, which `instanceof` is not. */
const brand = Symbol.for('signalbox.error');

export type SignalboxErrorOptions = {
  readonly target?: string | undefined;
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly requestId?: string | undefined;
  readonly phase?: TimeoutPhase | undefined;
  readonly policy?: string | undefined;
  readonly rule?: string | undefined;
  readonly partial?: PartialAnswer | undefined;
  readonly trail?: readonly Attempt[] | undefined;
  readonly errors?: readonly SignalboxError[] | undefined;
  readonly cause?: unknown;
};

/**
 * The one class of error that signalbox throws. Tell them apart by `code`, with {@link isSignalboxError}.
 *
 * `message` says what, where and what next. It never holds a key, a header, prompt text or the vendor's
 * own words (which may echo a prompt): those are in `cause`.
 */
export class SignalboxError extends Error {
  override readonly name = 'SignalboxError';
  readonly code: ErrorCode;
  // `declare`, so that a field which was not said is not there, rather than there and undefined.
  /** `provider/model` that failed. */
  declare readonly target?: string;
  /** HTTP status of the vendor's answer. */
  declare readonly status?: number;
  /** Milliseconds after which a new try may work. On `all_targets_failed`: the soonest over all targets. */
  declare readonly retryAfterMs?: number;
  /** The vendor's request id, for its support. */
  declare readonly requestId?: string;
  /** Which clock ran out, with code `timeout`. */
  declare readonly phase?: TimeoutPhase;
  /** The plugin, with code `policy_blocked` or `plugin_failed`. */
  declare readonly policy?: string;
  /** The plugin's rule that blocked the call, with code `policy_blocked`. */
  declare readonly rule?: string;
  /** What had arrived, when a stream broke off. */
  declare readonly partial?: PartialAnswer;
  /** Every attempt of the call and every target passed over, in order. */
  readonly trail: readonly Attempt[];
  /** One for each failed attempt, on `all_targets_failed`. */
  declare readonly errors?: readonly SignalboxError[];

  constructor(code: ErrorCode, message: string, options: SignalboxErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.trail = options.trail ?? [];
    if (options.target !== undefined) this.target = options.target;
    if (options.status !== undefined) this.status = options.status;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    if (options.requestId !== undefined) this.requestId = options.requestId;
    if (options.phase !== undefined) this.phase = options.phase;
    if (options.policy !== undefined) this.policy = options.policy;
    if (options.rule !== undefined) this.rule = options.rule;
    if (options.partial !== undefined) this.partial = options.partial;
    if (options.errors !== undefined) this.errors = options.errors;
    Object.defineProperty(this, brand, { value: true });
  }

  /** A copy with more said: the target, the trail, what had arrived. */
  with(more: More): SignalboxError {
    return copyOf(this, more);
  }
}

type More = SignalboxErrorOptions & { readonly message?: string };

// Outside the class, which a bundler would rename if it spoke of itself; the name is what `console.log` prints.
function copyOf(error: SignalboxError, { message, ...options }: More): SignalboxError {
  const copy = new SignalboxError(error.code, message ?? error.message, {
    target: error.target,
    status: error.status,
    retryAfterMs: error.retryAfterMs,
    requestId: error.requestId,
    phase: error.phase,
    policy: error.policy,
    rule: error.rule,
    partial: error.partial,
    trail: error.trail,
    errors: error.errors,
    ...(error.cause !== undefined && { cause: error.cause }),
    ...options,
  });
  if (error.stack !== undefined && message === undefined) copy.stack = error.stack;
  return copy;
}

/**
 * Whether `error` is signalbox's, and of the given `code` if one is given. Works over duplicate copies
 * of the package. Does not unwrap `cause`.
 */
export function isSignalboxError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: Code,
): error is SignalboxError & { readonly code: Code } {
  if (typeof error !== 'object' || error === null || !(brand in error)) return false;
  return code === undefined || ('code' in error && error.code === code);
}

/** The error as plain data, for trails and events. */
export function summarizeError(error: SignalboxError): ErrorSummary {
  return {
    code: error.code,
    message: error.message,
    ...(error.status !== undefined && { status: error.status }),
    ...(error.retryAfterMs !== undefined && {
      retryAfterMs: error.retryAfterMs,
    }),
    ...(error.requestId !== undefined && { requestId: error.requestId }),
    ...(error.phase !== undefined && { phase: error.phase }),
    ...(error.policy !== undefined && { policy: error.policy }),
    ...(error.rule !== undefined && { rule: error.rule }),
  };
}

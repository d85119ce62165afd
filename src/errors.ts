import { shortened } from './internal/quoted.ts';
import type { Attempt, ErrorSummary } from './protocol/attempt.ts';
import type { PartialAnswer } from './protocol/completion.ts';
import type { ConfigProblem } from './protocol/config-source.ts';
import type { ErrorCode, TimeoutPhase } from './protocol/error-code.ts';

/** Longer messages, of many targets or problems, are cut in the middle. */
const maxLineLength = 440;

/** Shared by duplicate copies of the package, unlike the class. */
const brand = Symbol.for('signalbox.error');

export type SignalboxErrorOptions = {
  readonly tier?: string | undefined;
  readonly target?: string | undefined;
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly requestId?: string | undefined;
  readonly phase?: TimeoutPhase | undefined;
  readonly policy?: string | undefined;
  readonly rule?: string | undefined;
  readonly vendorSpecific?: boolean | undefined;
  readonly budget?: string | undefined;
  readonly by?: string | undefined;
  readonly resetsAt?: number | undefined;
  readonly partial?: PartialAnswer | undefined;
  readonly problems?: readonly ConfigProblem[] | undefined;
  readonly trail?: readonly Attempt[] | undefined;
  readonly errors?: readonly SignalboxError[] | undefined;
  readonly cause?: unknown;
};

/**
 * The only error class that signalbox throws. Distinguish errors by `code`, with {@link isSignalboxError}.
 *
 * `message` describes what failed, where, and what to do. It never contains a key, a header, prompt text or the
 * vendor's words (which may repeat a prompt): those are in `cause`.
 */
export class SignalboxError extends Error {
  override readonly name = 'SignalboxError';
  readonly code: ErrorCode;
  // `declare`, so that a field that is not set does not exist, instead of being undefined.
  /** Tier of the call that failed. */
  declare readonly tier?: string;
  /** `provider/model` that failed. */
  declare readonly target?: string;
  /** HTTP status of the vendor's answer. */
  declare readonly status?: number;
  /** Milliseconds after which a retry may succeed. On `all_targets_failed`: the earliest over all targets. */
  declare readonly retryAfterMs?: number;
  /** The vendor's request id, for its support. */
  declare readonly requestId?: string;
  /** The timeout that expired, with code `timeout`. */
  declare readonly phase?: TimeoutPhase;
  /** The plugin, with code `policy_blocked` or `plugin_failed`. */
  declare readonly policy?: string;
  /** The plugin's rule that blocked the call, with code `policy_blocked`. */
  declare readonly rule?: string;
  /**
   * True when the vendor rejected the request for a reason of its own (a limit, a schema it cannot compile) or for an
   * unknown one, so that another vendor may accept it. With code `invalid_request` or `request_too_large`.
   */
  declare readonly vendorSpecific?: boolean;
  /** The budget that leaves no room, with code `budget_exceeded`; `maxUsd` for the option of the call. */
  declare readonly budget?: string;
  /** The value of the budget's `by` tag. */
  declare readonly by?: string;
  /** Epoch milliseconds at which the budget is available again. Absent for `maxUsd`. */
  declare readonly resetsAt?: number;
  /** The content received before a stream broke off. */
  declare readonly partial?: PartialAnswer;
  /** The first 100 problems of a configuration or of call options, with code `config`. */
  declare readonly problems?: readonly ConfigProblem[];
  /** Every attempt of the call and every skipped target, in order. */
  readonly trail: readonly Attempt[];
  /** One error per failed attempt, on `all_targets_failed`. */
  declare readonly errors?: readonly SignalboxError[];

  constructor(code: ErrorCode, message: string, options: SignalboxErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.trail = options.trail ?? [];
    if (options.tier !== undefined) this.tier = options.tier;
    if (options.target !== undefined) this.target = options.target;
    if (options.status !== undefined) this.status = options.status;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    if (options.requestId !== undefined) this.requestId = options.requestId;
    if (options.phase !== undefined) this.phase = options.phase;
    if (options.policy !== undefined) this.policy = options.policy;
    if (options.rule !== undefined) this.rule = options.rule;
    if (options.vendorSpecific === true) this.vendorSpecific = true;
    if (options.budget !== undefined) this.budget = options.budget;
    if (options.by !== undefined) this.by = options.by;
    if (options.resetsAt !== undefined) this.resetsAt = options.resetsAt;
    if (options.partial !== undefined) this.partial = options.partial;
    if (options.problems !== undefined) this.problems = options.problems;
    if (options.errors !== undefined) this.errors = options.errors;
    Object.defineProperty(this, brand, { value: true });
  }

  /** Code and message in one line of at most 500 characters, for logs. Contains none of the vendor's words. */
  override toString(): string {
    const message = this.message.trim().replace(/:?\s*\n\s*/g, '; ');
    return `${this.name} [${this.code}]: ${shortened(message, maxLineLength)}`;
  }

  /** Returns a copy with fields added or replaced. */
  with(fields: ChangedFields): SignalboxError {
    return copyOf(this, fields);
  }
}

type ChangedFields = SignalboxErrorOptions & { readonly message?: string };

// Not a method body: a bundler renames a class that refers to itself, and `console.log` prints the class name.
function copyOf(error: SignalboxError, { message, ...options }: ChangedFields): SignalboxError {
  const copy = new SignalboxError(error.code, message ?? error.message, {
    tier: error.tier,
    target: error.target,
    status: error.status,
    retryAfterMs: error.retryAfterMs,
    requestId: error.requestId,
    phase: error.phase,
    policy: error.policy,
    rule: error.rule,
    vendorSpecific: error.vendorSpecific,
    budget: error.budget,
    by: error.by,
    resetsAt: error.resetsAt,
    partial: error.partial,
    problems: error.problems,
    trail: error.trail,
    errors: error.errors,
    ...(error.cause !== undefined && { cause: error.cause }),
    ...options,
  });
  if (error.stack !== undefined && message === undefined) copy.stack = error.stack;
  return copy;
}

/**
 * Whether `error` is a `SignalboxError`, with the given `code` if one is given. Works across duplicate copies
 * of the package. Does not inspect `cause`.
 */
export function isSignalboxError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  code?: Code,
): error is SignalboxError & { readonly code: Code } {
  if (typeof error !== 'object' || error === null || !(brand in error)) return false;
  return code === undefined || ('code' in error && error.code === code);
}

/** Converts an error to plain data, for trails and events. */
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
    ...(error.budget !== undefined && { budget: error.budget }),
    ...(error.by !== undefined && { by: error.by }),
    ...(error.resetsAt !== undefined && { resetsAt: error.resetsAt }),
  };
}

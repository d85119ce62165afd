/** The kind of an error. `docs/errors.md` describes each code and what the router does. */
export type ErrorCode =
  // Errors of one attempt
  | 'connection'
  | 'server_error'
  | 'overloaded'
  | 'conflict'
  | 'rate_limited'
  | 'quota_exhausted'
  | 'auth'
  | 'permission'
  | 'model_not_found'
  | 'timeout'
  | 'context_length'
  | 'request_too_large'
  | 'content_filter'
  | 'refusal'
  | 'unsupported'
  | 'invalid_request'
  | 'invalid_response'
  | 'stream_interrupted'
  | 'invalid_output'
  | 'aborted'
  // Errors of a call
  | 'all_targets_failed'
  | 'config'
  | 'budget_exceeded'
  | 'policy_blocked'
  | 'plugin_failed'
  | 'store_failed'
  | 'closed';

/** Codes of failed attempts: the rows of the failure table. */
export type AttemptErrorCode = Exclude<
  ErrorCode,
  | 'all_targets_failed'
  | 'config'
  | 'budget_exceeded'
  | 'policy_blocked'
  | 'plugin_failed'
  | 'store_failed'
  | 'closed'
>;

/**
 * Which timeout expired. `throughput`: the answer was slower than `minTokensPerSecond`. `pace`: it was too slow to finish
 * before `totalMs`.
 */
export type TimeoutPhase = 'connect' | 'first-token' | 'idle' | 'throughput' | 'pace' | 'total';

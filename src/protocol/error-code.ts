/** What went wrong, in one word. `docs/errors.md` says what the router does about each. */
export type ErrorCode =
  // of one attempt
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
  // of the call
  | 'all_targets_failed'
  | 'config'
  | 'budget_exceeded'
  | 'policy_blocked'
  | 'plugin_failed'
  | 'closed';

/** The codes that one attempt can end with: the rows of the failure table. */
export type AttemptErrorCode = Exclude<
  ErrorCode,
  | 'all_targets_failed'
  | 'config'
  | 'budget_exceeded'
  | 'policy_blocked'
  | 'plugin_failed'
  | 'closed'
>;

/** Which of the four clocks ran out; `pace`: the answer came too slowly to be whole before the last of them. */
export type TimeoutPhase = 'connect' | 'first-token' | 'idle' | 'pace' | 'total';

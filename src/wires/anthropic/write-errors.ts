import type { JsonObject } from '../../protocol/json.ts';
import type { ErrorReply, Turn, VendorError, VendorErrorKind } from '../common/write.ts';

type AnthropicError = {
  readonly status: number;
  readonly type: string;
  readonly message: string;
  readonly errorCode?: string;
};

const errors = {
  rate_limited: {
    status: 429,
    type: 'rate_limit_error',
    message: 'This request would exceed the rate limit of the organization (simulated).',
  },
  // Differs from a rate limit only in `error.details.error_code`.
  quota_exhausted: {
    status: 429,
    type: 'rate_limit_error',
    message: 'The spend limit of this workspace is reached (simulated).',
    errorCode: 'enforced_spend_limit_reached',
  },
  auth: { status: 401, type: 'authentication_error', message: 'invalid bearer token (simulated)' },
  permission: {
    status: 403,
    type: 'permission_error',
    message: 'This key may not use the requested resource (simulated).',
  },
  model_not_found: { status: 404, type: 'not_found_error', message: 'model: unknown (simulated)' },
  context_length: {
    status: 400,
    type: 'invalid_request_error',
    message: 'prompt is too long: 2000 tokens > 1000 maximum (simulated)',
  },
  content_filter: {
    status: 400,
    type: 'invalid_request_error',
    message: 'Output blocked by content filtering policy (simulated)',
  },
  overloaded: { status: 529, type: 'overloaded_error', message: 'Overloaded (simulated)' },
  server_error: { status: 500, type: 'api_error', message: 'Internal server error (simulated)' },
  invalid_request: {
    status: 400,
    type: 'invalid_request_error',
    message: 'The request is not valid (simulated).',
  },
  unsupported: {
    status: 400,
    type: 'invalid_request_error',
    message: 'temperature: Extra inputs are not permitted (simulated)',
  },
} as const satisfies Record<VendorErrorKind, AnthropicError>;

/** The body of an error response, and the data of an `error` event. */
export function anthropicErrorBody({ kind, code, message }: VendorError, turn: Turn): JsonObject {
  const error: AnthropicError = errors[kind];
  return {
    type: 'error',
    error: {
      type: code ?? error.type,
      message: message ?? error.message,
      ...(error.errorCode !== undefined && { details: { error_code: error.errorCode } }),
    },
    request_id: `req_${turn.serial}`,
  };
}

export function anthropicError(error: VendorError, turn: Turn): ErrorReply {
  const { kind, retryAfterSeconds } = error;
  const status = error.status ?? errors[kind].status;
  return {
    status,
    headers: {
      'request-id': `req_${turn.serial}`,
      'x-should-retry': kind === 'rate_limited' || status >= 500 ? 'true' : 'false',
      ...(kind === 'rate_limited' && {
        ...anthropicLimits(turn.at),
        'anthropic-ratelimit-requests-remaining': '0',
        'anthropic-ratelimit-requests-reset': instant(turn.at + (retryAfterSeconds ?? 1) * 1000),
      }),
      ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
    },
    body: anthropicErrorBody(error, turn),
  };
}

/** The rate limit headers of an answer sent at `at` (epoch milliseconds). */
export function anthropicLimits(at: number): Readonly<Record<string, string>> {
  const limits = {
    requests: 1000,
    tokens: 480_000,
    'input-tokens': 400_000,
    'output-tokens': 80_000,
  };
  return Object.fromEntries(
    Object.entries(limits).flatMap(([name, limit]) => [
      [`anthropic-ratelimit-${name}-limit`, String(limit)],
      [`anthropic-ratelimit-${name}-remaining`, String(limit - 1)],
      [`anthropic-ratelimit-${name}-reset`, instant(at)],
    ]),
  );
}

function instant(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
}

import type { JsonObject } from '../../protocol/json.ts';
import type { Turn, VendorError, VendorErrorKind } from '../common/write.ts';

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
export function errorBody({ kind, code, message }: VendorError, turn: Turn): JsonObject {
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

/** The vendor's usual status for an error of this kind. */
export function usualStatus(kind: VendorErrorKind): number {
  return errors[kind].status;
}

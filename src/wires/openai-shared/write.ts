import type {
  ErrorReply,
  RequestHeaders,
  Turn,
  VendorError,
  VendorErrorKind,
} from '../common/write.ts';
import { bearer } from '../common/write.ts';

type OpenAIError = {
  readonly status: number;
  readonly type: string;
  readonly code: string | null;
  readonly param?: string;
  readonly message: string;
};

const errors = {
  rate_limited: {
    status: 429,
    type: 'requests',
    code: 'rate_limit_exceeded',
    message: 'Rate limit reached for requests per minute (simulated).',
  },
  quota_exhausted: {
    status: 429,
    type: 'insufficient_quota',
    code: 'insufficient_quota',
    message: 'The current quota is used up; check plan and billing (simulated).',
  },
  auth: {
    status: 401,
    type: 'invalid_request_error',
    code: 'invalid_api_key',
    message: 'The API key provided is incorrect (simulated).',
  },
  permission: {
    status: 403,
    type: 'invalid_request_error',
    code: 'missing_scope',
    message: 'This key has insufficient permissions for this operation (simulated).',
  },
  model_not_found: {
    status: 404,
    type: 'invalid_request_error',
    code: 'model_not_found',
    message: 'The model does not exist or this key has no access to it (simulated).',
  },
  context_length: {
    status: 400,
    type: 'invalid_request_error',
    code: 'context_length_exceeded',
    param: 'messages',
    message:
      'Input exceeds the context window: its maximum context length is 1000 tokens (simulated).',
  },
  content_filter: {
    status: 400,
    type: 'invalid_request_error',
    code: 'content_filter',
    param: 'prompt',
    message: 'The prompt was stopped by the content management policy (simulated).',
  },
  overloaded: {
    status: 503,
    type: 'service_unavailable_error',
    code: 'server_is_overloaded',
    message: 'The servers are overloaded; try again later (simulated).',
  },
  server_error: {
    status: 500,
    type: 'server_error',
    code: null,
    message: 'The server had an error while processing the request (simulated).',
  },
  invalid_request: {
    status: 400,
    type: 'invalid_request_error',
    code: null,
    message: 'The request is not valid (simulated).',
  },
  unsupported: {
    status: 400,
    type: 'invalid_request_error',
    code: 'unsupported_parameter',
    param: 'temperature',
    message: "Unsupported parameter: 'temperature' is not supported with this model (simulated).",
  },
} as const satisfies Record<VendorErrorKind, OpenAIError>;

/** The vendor's error object, used in bodies and in streams. */
export function openaiErrorObject({ kind, code, message, param }: VendorError): {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string | null;
} {
  const error: OpenAIError = errors[kind];
  return {
    message: message ?? error.message,
    type: error.type,
    param: param === undefined ? (error.param ?? null) : param,
    code: code ?? error.code,
  };
}

export function openaiError(error: VendorError, turn: Turn): ErrorReply {
  const limited = error.kind === 'rate_limited';
  return {
    status: error.status ?? errors[error.kind].status,
    headers: {
      'x-request-id': `req_${turn.serial}`,
      'openai-version': '2020-10-01',
      ...(limited && {
        'x-ratelimit-limit-requests': '500',
        'x-ratelimit-remaining-requests': '0',
        'x-ratelimit-reset-requests': `${error.retryAfterSeconds ?? 1}s`,
      }),
      ...(error.retryAfterSeconds !== undefined && {
        'retry-after': String(error.retryAfterSeconds),
      }),
    },
    body: { error: openaiErrorObject(error) },
  };
}

export function openaiHeaders(turn: Turn): Readonly<Record<string, string>> {
  return {
    'x-request-id': `req_${turn.serial}`,
    'openai-processing-ms': '5',
    'openai-version': '2020-10-01',
    'x-ratelimit-limit-requests': '500',
    'x-ratelimit-limit-tokens': '200000',
    'x-ratelimit-remaining-requests': '499',
    'x-ratelimit-remaining-tokens': '199900',
    'x-ratelimit-reset-requests': '120ms',
    'x-ratelimit-reset-tokens': '30ms',
  };
}

/** `Authorization: Bearer`, or Azure's `api-key`. */
export function openaiCredential(headers: RequestHeaders): string | undefined {
  return bearer(headers) ?? headers['api-key'];
}

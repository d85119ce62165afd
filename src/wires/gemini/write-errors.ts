import type { JsonObject } from '../../protocol/json.ts';
import type { ErrorReply, Turn, VendorError, VendorErrorKind } from '../common/write.ts';

type GeminiError = {
  readonly code: number;
  readonly status: string;
  readonly message: string;
  readonly details?: readonly JsonObject[];
};

const errors = {
  rate_limited: {
    code: 429,
    status: 'RESOURCE_EXHAUSTED',
    message: 'Quota exceeded for requests per minute (simulated).',
    details: [quotaFailure('GenerateRequestsPerMinutePerProjectPerModel')],
  },
  quota_exhausted: {
    code: 429,
    status: 'RESOURCE_EXHAUSTED',
    message: 'Quota exceeded for requests per day; check plan and billing (simulated).',
    details: [quotaFailure('GenerateRequestsPerDayPerProjectPerModel')],
  },
  // Status 400, not 401. Only the reason in the details identifies it.
  auth: {
    code: 400,
    status: 'INVALID_ARGUMENT',
    message: 'API key not valid (simulated).',
    details: [errorInfo('API_KEY_INVALID')],
  },
  permission: {
    code: 403,
    status: 'PERMISSION_DENIED',
    message: 'The caller does not have permission (simulated).',
  },
  model_not_found: {
    code: 404,
    status: 'NOT_FOUND',
    message: 'The model is not found, or not supported for generateContent (simulated).',
  },
  context_length: {
    code: 400,
    status: 'INVALID_ARGUMENT',
    message:
      'The input token count (2000) exceeds the maximum number of tokens (1000) (simulated).',
  },
  content_filter: { code: 200, status: 'OK', message: '' },
  overloaded: {
    code: 503,
    status: 'UNAVAILABLE',
    message: 'The model is overloaded; try again later (simulated).',
  },
  server_error: {
    code: 500,
    status: 'INTERNAL',
    message: 'An internal error occurred (simulated).',
  },
  invalid_request: {
    code: 400,
    status: 'INVALID_ARGUMENT',
    message: 'The request contains an invalid argument (simulated).',
  },
  unsupported: {
    code: 400,
    status: 'INVALID_ARGUMENT',
    message: 'Function calling is not supported for this model (simulated).',
  },
} as const satisfies Record<VendorErrorKind, GeminiError>;

/** The body of an error. A blocked prompt (`content_filter`) is a 200 without candidates. */
export function geminiErrorBody(vendorError: VendorError): JsonObject {
  const { kind, status, code, message, retryAfterSeconds } = vendorError;
  if (kind === 'content_filter') {
    return {
      promptFeedback: { blockReason: 'PROHIBITED_CONTENT' },
      usageMetadata: { promptTokenCount: 5, totalTokenCount: 5 },
    };
  }
  const error: GeminiError = errors[kind];
  const details = [
    ...(error.details ?? []),
    ...(retryAfterSeconds === undefined ? [] : [retryInfo(retryAfterSeconds)]),
  ];
  return {
    error: {
      code: status ?? error.code,
      message: message ?? error.message,
      status: code ?? error.status,
      ...(details.length > 0 && { details }),
    },
  };
}

export function geminiError(error: VendorError, { request }: Turn): ErrorReply {
  return {
    status: error.status ?? errors[error.kind].code,
    headers: {
      vary: 'Origin, X-Origin, Referer',
      server: 'scaffolding on HTTPServer2',
      // For stream requests the vendor sends a JSON error with this content type.
      ...(request.stream && { 'content-type': 'text/event-stream' }),
    },
    body: geminiErrorBody(error),
  };
}

function quotaFailure(quotaId: string): JsonObject {
  return {
    '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
    violations: [
      {
        quotaMetric: 'generativelanguage.googleapis.com/generate_content_requests',
        quotaId,
        quotaValue: '10',
      },
    ],
  };
}

function errorInfo(reason: string): JsonObject {
  return {
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    reason,
    domain: 'googleapis.com',
    metadata: { service: 'generativelanguage.googleapis.com' },
  };
}

function retryInfo(seconds: number): JsonObject {
  return { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${seconds}s` };
}

import type { FinishReason } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { countOf, listOf, objectOf, textOf } from '../common/read.ts';
import {
  type AnswerTurn,
  bearer,
  type ErrorReply,
  type Frame,
  noRequestedOutput,
  onePixelPng,
  type RequestedOutput,
  simulatedVector,
  splitText,
  type Turn,
  type VendorError,
  type VendorErrorKind,
  type WireWriter,
} from '../common/write.ts';

const finishReasons = {
  stop: 'STOP',
  length: 'MAX_TOKENS',
  // The vendor has no finish reason for tool calls. The reader finds the calls among the parts.
  tool_calls: 'STOP',
  content_filter: 'SAFETY',
  refusal: 'SAFETY',
  context_length: 'MAX_TOKENS',
  pause: 'CONTINUATION',
  error: 'MALFORMED_FUNCTION_CALL',
  other: 'OTHER',
} as const satisfies Record<FinishReason, string>;

/** Accepts any prefix before `models/`, so that paths of the Gemini API and of Vertex match. */
const pathPattern = /\/models\/([^/:]+):(generateContent|streamGenerateContent)$/;

/** Gemini's `generateContent` and `streamGenerateContent?alt=sse`. */
export const geminiWire: WireWriter = {
  name: 'gemini',
  accepts: (path) => pathPattern.test(path),
  read: (path) => {
    const [, model, method] = pathPattern.exec(path) ?? [];
    return { model: decodeURIComponent(model ?? ''), stream: method === 'streamGenerateContent' };
  },
  credential: (headers, query) => headers['x-goog-api-key'] ?? query.get('key') ?? bearer(headers),
  missingKey: 'permission',
  requestedOutput,
  complaint: ({ body }) =>
    listOf(body.contents).length === 0
      ? '* GenerateContentRequest.contents: contents is not specified'
      : undefined,
  headers: () => ({
    'x-gemini-service-tier': 'standard',
    vary: 'Origin, X-Origin, Referer',
    server: 'scaffolding on HTTPServer2',
  }),
  unary: (turn) => {
    const contents = parts(
      turn,
      [turn.answer.text].filter((text) => text !== ''),
    );
    const last = lastPart(turn);
    const signed = last.thoughtSignature === undefined ? contents : withSignature(contents, last);
    return response(turn, signed, finish(turn), turn.answer.usage.outputTokens);
  },
  frames,
  error: geminiError,
  errorFrames: (error) => [{ data: geminiErrorBody(error), role: 'finish' }],
  keepAlive: ': keep-alive\n\n',
};

function requestedOutput(body: JsonObject): RequestedOutput {
  const config = objectOf(body.generationConfig);
  const calling = objectOf(objectOf(body.toolConfig).functionCallingConfig);
  return {
    schema:
      config.responseJsonSchema ??
      config.responseSchema ??
      (config.responseMimeType === 'application/json' ? { type: 'object' } : undefined),
    tools: listOf(body.tools)
      .flatMap((tool) => listOf(objectOf(tool).functionDeclarations))
      .map(objectOf)
      .map((tool) => ({
        name: textOf(tool.name) ?? '',
        schema: tool.parametersJsonSchema ?? tool.parameters,
      })),
    forcedTool:
      calling.mode === 'ANY'
        ? { name: textOf(listOf(calling.allowedFunctionNames)[0]) }
        : undefined,
  };
}

function frames(turn: AnswerTurn): readonly Frame[] {
  const { chunks, usage } = turn.answer;
  const contents = parts(turn, chunks);
  const outputSoFar = (index: number): number =>
    usage.reasoningTokens +
    Math.floor(((usage.outputTokens - usage.reasoningTokens) * (index + 1)) / contents.length);
  return [
    ...contents.map(
      (part, index): Frame => ({
        data: response(turn, [part], {}, outputSoFar(index)),
        role: 'content',
      }),
    ),
    { data: response(turn, [lastPart(turn)], finish(turn), usage.outputTokens), role: 'finish' },
  ];
}

/** The parts of the answer. Parallel calls share one signature, on the first. */
function parts({ answer, request }: AnswerTurn, texts: readonly string[]): readonly JsonObject[] {
  const config = objectOf(request.body.generationConfig);
  const hasImage = listOf(config.responseModalities).includes('IMAGE');
  return [
    ...splitText(answer.reasoning ?? '').map((text) => ({ text, thought: true })),
    ...texts.map((text) => ({ text })),
    ...(hasImage ? [{ inlineData: { mimeType: 'image/png', data: onePixelPng } }] : []),
    ...answer.toolCalls.map((call, index) => ({
      functionCall: {
        name: call.name,
        args: call.input,
        ...(call.id !== undefined && { id: call.id }),
      },
      ...(index === 0 && signature(answer.reasoningSignature)),
    })),
  ];
}

/** The last part of a stream: no text, and the signature unless a call has it. */
function lastPart({ answer }: AnswerTurn): JsonObject {
  return { text: '', ...(answer.toolCalls.length === 0 && signature(answer.reasoningSignature)) };
}

function signature(value: string | undefined): JsonObject {
  return value === undefined ? {} : { thoughtSignature: value };
}

function withSignature(contents: readonly JsonObject[], last: JsonObject): readonly JsonObject[] {
  const { text: _empty, ...signed } = last;
  return contents.map((part, index) =>
    index === contents.length - 1 ? { ...part, ...signed } : part,
  );
}

function finish({ answer }: AnswerTurn): JsonObject {
  return {
    finishReason: finishReasons[answer.finishReason],
    ...(answer.refusal !== undefined && { finishMessage: answer.refusal }),
  };
}

function response(
  { answer, serial }: AnswerTurn,
  contents: readonly JsonObject[],
  ending: JsonObject,
  outputTokens: number,
): JsonObject {
  const { usage } = answer;
  const thoughts = Math.min(usage.reasoningTokens, outputTokens);
  const content = contents.length === 0 ? { role: 'model' } : { parts: contents, role: 'model' };
  return {
    candidates: [{ content, ...ending, index: 0 }],
    usageMetadata: {
      promptTokenCount: usage.inputTokens,
      candidatesTokenCount: outputTokens - thoughts,
      totalTokenCount: usage.inputTokens + outputTokens,
      ...(usage.cachedInputTokens > 0 && {
        cachedContentTokenCount: usage.cachedInputTokens,
        cacheTokensDetails: [{ modality: 'TEXT', tokenCount: usage.cachedInputTokens }],
      }),
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: usage.inputTokens }],
      ...(thoughts > 0 && { thoughtsTokenCount: thoughts }),
      serviceTier: answer.serviceTier ?? 'standard',
    },
    modelVersion: answer.model,
    responseId: serial,
  };
}

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
function geminiErrorBody(vendorError: VendorError): JsonObject {
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

function geminiError(error: VendorError, { request }: Turn): ErrorReply {
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

const embedPath = /\/models\/([^/:]+):batchEmbedContents$/;

/** Gemini's `batchEmbedContents`. */
export const geminiEmbeddingsWire: WireWriter = {
  ...geminiWire,
  name: 'gemini-embeddings',
  accepts: (path) => embedPath.test(path),
  read: (path) => ({
    model: decodeURIComponent(embedPath.exec(path)?.[1] ?? ''),
    stream: false,
  }),
  requestedOutput: () => noRequestedOutput,
  complaint: ({ body }) =>
    listOf(body.requests).length === 0 ? '* requests: must not be empty' : undefined,
  frames: () => [],
  unary: ({ request: { body } }) => ({
    embeddings: listOf(body.requests)
      .map(objectOf)
      .map((request) => {
        const [part] = listOf(objectOf(request.content).parts);
        const dimensions = countOf(request.outputDimensionality);
        return { values: simulatedVector(textOf(objectOf(part).text) ?? '', dimensions) };
      }),
  }),
};

/**
 * Every name of spans, attributes and metrics. Those that begin with `gen_ai` follow version 0.1.0 of OpenTelemetry's
 * semantic-conventions-genai, whose status is "development": names may still change, here and nowhere else.
 */
export const scope = { name: 'signalbox', schemaUrl: undefined } as const;

/** Attributes of spans and metrics by the conventions. */
export const genAi = {
  operation: 'gen_ai.operation.name',
  provider: 'gen_ai.provider.name',
  outputType: 'gen_ai.output.type',
  requestModel: 'gen_ai.request.model',
  stream: 'gen_ai.request.stream',
  maxTokens: 'gen_ai.request.max_tokens',
  temperature: 'gen_ai.request.temperature',
  topP: 'gen_ai.request.top_p',
  topK: 'gen_ai.request.top_k',
  seed: 'gen_ai.request.seed',
  frequencyPenalty: 'gen_ai.request.frequency_penalty',
  presencePenalty: 'gen_ai.request.presence_penalty',
  reasoningLevel: 'gen_ai.request.reasoning.level',
  responseId: 'gen_ai.response.id',
  responseModel: 'gen_ai.response.model',
  finishReasons: 'gen_ai.response.finish_reasons',
  timeToFirstChunk: 'gen_ai.response.time_to_first_chunk',
  inputTokens: 'gen_ai.usage.input_tokens',
  outputTokens: 'gen_ai.usage.output_tokens',
  cacheReadTokens: 'gen_ai.usage.cache_read.input_tokens',
  cacheWriteTokens: 'gen_ai.usage.cache_write.input_tokens',
  reasoningTokens: 'gen_ai.usage.reasoning.output_tokens',
  errorType: 'error.type',
} as const;

/** Attributes with content of requests and answers, only with `recordContent`. */
export const genAiContent = {
  stopSequences: 'gen_ai.request.stop_sequences',
  systemInstructions: 'gen_ai.system_instructions',
  inputMessages: 'gen_ai.input.messages',
  outputMessages: 'gen_ai.output.messages',
  toolDefinitions: 'gen_ai.tool.definitions',
} as const;

/** Former names, with `legacyNames`. */
export const legacy = {
  provider: 'gen_ai.system',
  cacheWriteTokens: 'gen_ai.usage.cache_creation.input_tokens',
  tokenType: 'gen_ai.token.type',
} as const;

/** Attributes of the router. */
export const own = {
  callId: 'signalbox.call.id',
  tier: 'signalbox.tier',
  mode: 'signalbox.mode',
  status: 'signalbox.status',
  drill: 'signalbox.drill',
  attempts: 'signalbox.attempts',
  target: 'signalbox.target',
  from: 'signalbox.from',
  to: 'signalbox.to',
  key: 'signalbox.key',
  attempt: 'signalbox.attempt',
  outcome: 'signalbox.outcome',
  verdict: 'signalbox.verdict',
  reason: 'signalbox.reason',
  queued: 'signalbox.queue.duration',
  delay: 'signalbox.delay',
  late: 'signalbox.hedge.delay',
  usd: 'signalbox.cost.usd',
  estimated: 'signalbox.usage.estimated',
  requestId: 'signalbox.request.id',
  httpStatus: 'http.response.status_code',
  limit: 'signalbox.limit',
  budget: 'signalbox.budget',
  unit: 'signalbox.budget.unit',
  action: 'signalbox.budget.action',
  share: 'signalbox.budget.share',
  policy: 'signalbox.policy',
  policyKind: 'signalbox.policy.kind',
  rule: 'signalbox.policy.rule',
  /** Before the name of a tag. */
  tag: 'signalbox.tag.',
} as const;

/** Events of the call's span. */
export const spanEvents = {
  retry: 'signalbox.retry',
  failover: 'signalbox.failover',
  hedge: 'signalbox.hedge',
  circuitOpen: 'signalbox.circuit.open',
  circuitHalfOpen: 'signalbox.circuit.half_open',
  circuitClose: 'signalbox.circuit.close',
  rateLimited: 'signalbox.rate_limited',
  budgetWarning: 'signalbox.budget.warning',
  budgetExceeded: 'signalbox.budget.exceeded',
  policyVerdict: 'signalbox.policy.verdict',
} as const;

/** Bucket boundaries of durations, in seconds, by the conventions: 0.01 * 2^n. */
const secondsBuckets = Array.from({ length: 14 }, (_, power) => 2 ** power / 100);

/** Bucket boundaries of the former histogram of tokens: 4^n. */
const tokenBuckets = Array.from({ length: 14 }, (_, power) => 4 ** power);

const seconds = { unit: 's', advice: { explicitBucketBoundaries: secondsBuckets } };
const tokens = { unit: '{token}' };

/** Metrics: name, and options of the instrument. */
export const histograms = {
  duration: [
    'gen_ai.client.inference.duration',
    { ...seconds, description: 'Duration of a request to a model.' },
  ],
  embeddingsDuration: [
    'gen_ai.client.embeddings.duration',
    { ...seconds, description: 'Duration of a request for embeddings.' },
  ],
  timeToFirstChunk: [
    'gen_ai.client.inference.time_to_first_chunk',
    { ...seconds, description: 'Time from the request to the first chunk of a streamed answer.' },
  ],
  timePerChunk: [
    'gen_ai.client.inference.time_per_output_chunk',
    { ...seconds, description: 'Time between two chunks of a streamed answer.' },
  ],
  callDuration: [
    'signalbox.call.duration',
    { ...seconds, description: 'Duration of a call of the router, with all of its attempts.' },
  ],
  queueDuration: [
    'signalbox.queue.duration',
    { ...seconds, description: 'Time that an attempt waited for a limit.' },
  ],
} as const;

export const counters = {
  inputTokens: [
    'gen_ai.client.inference.usage.input_tokens',
    { ...tokens, description: 'Input tokens billed.' },
  ],
  outputTokens: [
    'gen_ai.client.inference.usage.output_tokens',
    { ...tokens, description: 'Output tokens billed.' },
  ],
  cacheReadTokens: [
    'gen_ai.client.inference.usage.cache_read.input_tokens',
    { ...tokens, description: "Input tokens read from the vendor's cache." },
  ],
  cacheWriteTokens: [
    'gen_ai.client.inference.usage.cache_write.input_tokens',
    { ...tokens, description: "Input tokens written to the vendor's cache." },
  ],
  reasoningTokens: [
    'gen_ai.client.inference.usage.reasoning.output_tokens',
    { ...tokens, description: 'Output tokens spent on reasoning.' },
  ],
  cost: ['signalbox.cost', { unit: '{USD}', description: 'US dollars billed.' }],
  unpriced: [
    'signalbox.cost.unknown',
    { unit: '{attempt}', description: 'Billed attempts whose price is unknown.' },
  ],
  retries: ['signalbox.retries', { unit: '{retry}', description: 'Retries of the same target.' }],
  failovers: [
    'signalbox.failovers',
    { unit: '{failover}', description: 'Changes to another target.' },
  ],
  hedges: [
    'signalbox.hedges',
    { unit: '{hedge}', description: 'Second requests because of a late first token.' },
  ],
  rateLimited: [
    'signalbox.rate_limited',
    {
      unit: '{event}',
      description: 'Times that a target was found rate limited, or its account empty.',
    },
  ],
  budgetWarnings: [
    'signalbox.budget.warnings',
    { unit: '{event}', description: 'Shares of budgets that were reached.' },
  ],
  budgetExceeded: [
    'signalbox.budget.exceeded',
    { unit: '{event}', description: 'Times that a budget left no room.' },
  ],
} as const;

export const gauges = {
  circuit: [
    'signalbox.circuit.state',
    { description: 'State of the circuit of a target: 0 closed, 1 half-open, 2 open.' },
  ],
} as const;

/** Former metrics, with `legacyNames`. */
export const legacyHistograms = {
  duration: [
    'gen_ai.client.operation.duration',
    { ...seconds, description: 'Former name of gen_ai.client.inference.duration.' },
  ],
  timeToFirstChunk: [
    'gen_ai.client.operation.time_to_first_chunk',
    { ...seconds, description: 'Former name of gen_ai.client.inference.time_to_first_chunk.' },
  ],
  tokens: [
    'gen_ai.client.token.usage',
    {
      ...tokens,
      advice: { explicitBucketBoundaries: tokenBuckets },
      description: 'Former histogram of tokens by gen_ai.token.type.',
    },
  ],
} as const;

/** Values of `gen_ai.provider.name` by the vendor's name in price lists. Other vendors keep that name. */
const providerNames: Readonly<Record<string, string>> = {
  aws: 'aws.bedrock',
  azure: 'azure.ai.openai',
  google: 'gcp.gemini',
  mistral: 'mistral_ai',
  moonshotai: 'moonshot_ai',
  vertex: 'gcp.vertex_ai',
  'x-ai': 'x_ai',
};

/** The same for a vendor whose models another one's cloud serves, by `wire vendor`. */
const cloudNames: Readonly<Record<string, string>> = {
  'anthropic google': 'gcp.vertex_ai',
  'anthropic azure': 'azure.ai.inference',
};

export function providerName(vendor: string, wire: string): string {
  return cloudNames[`${wire} ${vendor}`] ?? providerNames[vendor] ?? vendor;
}

/** Values of `gen_ai.operation.name` by the kind of call. */
const operations = { chat: 'chat', embed: 'embeddings', image: 'generate_content' } as const;

export function operationName(kind: keyof typeof operations, wire: string): string {
  return kind === 'chat' && wire === 'gemini' ? 'generate_content' : operations[kind];
}

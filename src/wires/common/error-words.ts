import type { AttemptErrorCode } from '../../protocol/error-code.ts';

/**
 * Machine-readable words (`code`, `type`) of OpenAI and of vendors compatible with its wire. They take precedence over
 * the status, so words used with several statuses are not here (Groq sends `rate_limit_exceeded` with a 413).
 */
export const codeByWord: Readonly<Record<string, AttemptErrorCode>> = {
  insufficient_quota: 'quota_exhausted',
  billing_hard_limit_reached: 'quota_exhausted',
  billing_not_active: 'quota_exhausted',
  quota_exceeded: 'quota_exhausted',
  quotaexceeded: 'quota_exhausted', // Azure
  insufficient_balance: 'quota_exhausted',
  payment_required: 'quota_exhausted',
  blocked_api_access: 'quota_exhausted', // Groq: a spend limit
  exceeded_current_quota_error: 'quota_exhausted', // Moonshot
  arrearage: 'quota_exhausted', // DashScope
  'allocationquota.freetieronly': 'quota_exhausted', // DashScope
  invalid_api_key: 'auth',
  authentication_error: 'auth', // DeepSeek
  invalid_authentication_error: 'auth', // Moonshot
  unauthenticated: 'auth',
  permission_error: 'permission',
  permission_denied: 'permission',
  unsupported_country_region_territory: 'permission',
  organization_restricted: 'permission', // Groq
  model_terms_required: 'permission', // Groq
  model_not_found: 'model_not_found',
  model_not_available: 'model_not_found', // Together: needs a dedicated endpoint
  model_decommissioned: 'model_not_found', // Groq
  invalid_model: 'model_not_found', // Mistral, Perplexity
  unknown_model: 'model_not_found', // GitHub
  deploymentnotfound: 'model_not_found', // Azure
  resource_not_found_error: 'model_not_found', // Moonshot
  context_length_exceeded: 'context_length',
  exceed_context_size_error: 'context_length', // llama.cpp
  too_many_prompt_tokens: 'context_length', // Perplexity
  too_many_tokens: 'context_length', // Cohere
  tokens_limit_reached: 'context_length', // GitHub
  request_too_large: 'request_too_large',
  rate_limited: 'rate_limited', // Mistral
  content_filter: 'content_filter',
  content_policy_violation: 'content_filter',
  responsibleaipolicyviolation: 'content_filter', // Azure
  data_inspection_failed: 'content_filter', // DashScope
  datainspectionfailed: 'content_filter', // DashScope
  invalid_prompt: 'content_filter', // the prompt was flagged: https://platform.openai.com/docs/guides/reasoning
  unsupported_parameter: 'unsupported',
  unsupported_value: 'unsupported',
  not_supported_error: 'unsupported', // llama.cpp
  operationnotsupported: 'unsupported', // Azure
  invalid_encrypted_content: 'unsupported', // the reasoning was issued to another key or organisation
  // Groq: the model's output was not a valid tool call or not JSON. Another model may succeed.
  tool_use_failed: 'invalid_output',
  json_validate_failed: 'invalid_output',
  overloaded: 'overloaded',
  overloaded_error: 'overloaded',
  server_is_overloaded: 'overloaded',
  slow_down: 'overloaded',
  engine_overloaded: 'overloaded',
  engine_overloaded_error: 'overloaded', // Moonshot
  service_tier_capacity_exceeded: 'overloaded', // Mistral
  capacity_exceeded: 'overloaded', // Groq's flex tier, with status 498
  queue_exceeded: 'overloaded', // Cerebras, with status 429
  provider_overloaded: 'overloaded', // OpenRouter
  nocapacity: 'overloaded', // Azure
};

/** {@link codeByWord} for errors inside a 200, which have no status to fall back on. */
export const codeByWordInBand: Readonly<Record<string, AttemptErrorCode>> = {
  ...codeByWord,
  server_error: 'server_error',
  internal_server_error: 'server_error',
  rate_limit_exceeded: 'rate_limited',
  rate_limit_error: 'rate_limited',
  too_many_requests: 'rate_limited',
  too_many_requests_error: 'rate_limited',
  invalid_request_error: 'invalid_request',
  badrequesterror: 'invalid_request', // vLLM
  invalid_image: 'invalid_request',
};

type Phrase = {
  readonly phrase: RegExp;
  readonly word: string;
  readonly statuses: readonly (number | undefined)[];
};

/** Messages of vendors that send no machine-readable word, mapped to the equivalent word. Only for these statuses. */
export const wordByPhrase: readonly Phrase[] = [
  // Mistral: the whole tier is at capacity. It is not a limit of this caller.
  { phrase: /capacity exceeded/i, word: 'overloaded', statuses: [429, 498] },
  // OpenAI: this one request exceeds the limit per minute, so waiting does not help.
  { phrase: /^request too large/i, word: 'request_too_large', statuses: [429] },
  // Ollama Cloud, Mistral, Fireworks, xAI, DeepSeek, z.ai, Anthropic through gateways.
  {
    phrase:
      /used all available credits|have any credits|spending limit|exceeded your current quota|insufficient (?:balance|credits)|credit balance is too low|usage limit/i,
    word: 'insufficient_quota',
    statuses: [400, 401, 403, 412, 429, undefined],
  },
  // Daily limits of Groq and Cerebras (TPD, RPD), OpenRouter (free-models-per-day) and GitHub (ByDay).
  {
    phrase: /(?:tokens|requests) per day|per-day|ByDay\b|daily (?:limit|quota)/i,
    word: 'insufficient_quota',
    statuses: [429, undefined],
  },
  // Groq sends a 413 for its limit of tokens per minute. The request is not too large for other targets.
  { phrase: /tokens per min|\bTPM\b/i, word: 'rate_limited', statuses: [413] },
  // xAI and Google's compatible endpoint send a 400.
  { phrase: /incorrect api key|api key not valid/i, word: 'invalid_api_key', statuses: [400] },
  // DeepSeek, OpenRouter, xAI, z.ai, LM Studio.
  {
    phrase:
      /model not exist|is not a valid model id|model not found|unknown model|no models? loaded/i,
    word: 'model_not_found',
    statuses: [400, 422, 500],
  },
  // DeepSeek, xAI, OpenRouter, z.ai, Moonshot.
  {
    phrase:
      /content exists risk|violates usage guidelines|input was flagged|unsafe or sensitive content|considered high risk/i,
    word: 'content_filter',
    statuses: [400, 403, 451, undefined],
  },
  // OpenRouter: no vendor behind it supports the feature.
  { phrase: /no endpoints found that support/i, word: 'unsupported_value', statuses: [404] },
  // vLLM and llama.cpp were started without the feature. llama.cpp sends a 500.
  {
    phrase: /requires --enable-auto-tool-choice|requires? --jinja|input is not supported - hint/i,
    word: 'unsupported_value',
    statuses: [400, 500],
  },
];

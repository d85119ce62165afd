import type { AttemptErrorCode } from '../../protocol/error-code.ts';
import type { AnswerHeaders } from '../../transport/answer.ts';
import { codeByNumber } from './error-numbers.ts';
import { objectOf, textOf } from './read.ts';

/**
 * Machine-readable words (`code`, `type`) of OpenAI and of vendors compatible with its wire. They take precedence over
 * the status, so words used with several statuses are not here (Groq sends `rate_limit_exceeded` with a 413).
 */
export const codeByWord: Readonly<Record<string, AttemptErrorCode>> = {
  ...codeByNumber,
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
  model_max_prompt_tokens_exceeded: 'context_length', // GitHub Copilot
  request_too_large: 'request_too_large',
  rate_limited: 'rate_limited', // Mistral
  content_filter: 'content_filter',
  content_policy_violation: 'content_filter',
  image_content_policy_violation: 'content_filter',
  moderation_blocked: 'content_filter', // OpenAI: an image, with status 400
  safety_violation: 'content_filter',
  cyber_policy: 'content_filter', // OpenAI
  responsibleaipolicyviolation: 'content_filter', // Azure
  contentfilter: 'content_filter', // Azure: an image
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
  /** Whether it is more specific than the words that the vendor sends with it. */
  readonly first?: boolean;
};

/** Messages of vendors that send no machine-readable word, mapped to the equivalent word. Only for these statuses. */
export const wordByPhrase: readonly Phrase[] = [
  // Mistral: the whole tier is at capacity. It is not a limit of this caller.
  { phrase: /capacity exceeded/i, word: 'overloaded', statuses: [429, 498] },
  // OpenAI, and Groq through gateways: this one request exceeds the limit per minute, so waiting does not help.
  {
    phrase: /request too large/i,
    word: 'request_too_large',
    statuses: [400, 429, undefined],
    first: true,
  },
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

/**
 * Error codes by Bedrock's exception name, which is sent in a header, in the body or in the stream. The list includes
 * names that add nothing to their status (`ValidationException`), because an error inside a stream has no status.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
 */
export const codeByAwsException: Readonly<Record<string, AttemptErrorCode>> = {
  accessdeniedexception: 'permission',
  conflictexception: 'conflict',
  internalserverexception: 'server_error',
  modelerrorexception: 'server_error',
  modelnotreadyexception: 'overloaded', // a 429, while the model is being loaded
  modelstreamerrorexception: 'server_error',
  modeltimeoutexception: 'server_error',
  resourcenotfoundexception: 'model_not_found',
  servicequotaexceededexception: 'quota_exhausted',
  serviceunavailableexception: 'overloaded',
  throttlingexception: 'rate_limited',
  validationexception: 'invalid_request',
  // Any AWS service, with status 400 or 403: wrong, expired or missing credentials.
  expiredtokenexception: 'auth',
  incompletesignatureexception: 'auth',
  invalidsignatureexception: 'auth',
  missingauthenticationtokenexception: 'auth',
  unrecognizedclientexception: 'auth',
};

/** Messages that are more specific than the exception Bedrock sends with them, mapped to the specific exception. */
const exceptionByPhrase: readonly (readonly [phrase: RegExp, exception: string])[] = [
  [/too many tokens per day/i, 'servicequotaexceededexception'],
  [
    /model identifier is invalid|with on-demand throughput isn.t supported/i,
    'resourcenotfoundexception',
  ],
  [
    /^authentication failed|security token .{0,30}(?:invalid|expired)/i,
    'unrecognizedclientexception',
  ],
];

/** The bare name in `ThrottlingException:http://…` or `com.amazon.coral.service#AccessDeniedException`. */
function bareName(name: string): string {
  return (name.split(':')[0]?.split('#').at(-1) ?? '').toLowerCase();
}

/** The exceptions named by an AWS error response, most specific first. Empty for other vendors. */
export function awsWordsOf(
  error: { readonly words: readonly string[]; readonly message: string },
  { headers, body }: { readonly headers?: AnswerHeaders | undefined; readonly body?: unknown },
): readonly string[] {
  const named = [headers?.get('x-amzn-errortype'), textOf(objectOf(body).__type)]
    .filter((each) => typeof each === 'string')
    .map(bareName);
  const known = [...named, ...error.words].find((each) => Object.hasOwn(codeByAwsException, each));
  if (known === undefined) return named;
  const specific = exceptionByPhrase.find(([phrase]) => phrase.test(error.message))?.[1];
  return specific === undefined ? [known] : [specific, known];
}

/**
 * Machine-readable error words (`type`, `code`, `status`, `reason`) that do not affect the error code, in lower case.
 * Our error messages quote only these words and those of the code tables. An unknown word may be a key or part of the
 * prompt.
 */
const words = `
  access_denied access_terminated_error account_deactivated already_exists api_connection_error api_error
  apierror apiconnectionerror auth_unavailable authenticationerror authorization_error aborted
  bad_gateway bad_request bad_request_error badrequest billing_error blocked cancelled conflict conflict_error
  connection_error consumer_suspended content_filter_error contract_spend_limit_reached credit_limit cyber_policy
  deadline_exceeded deploymentnotready duplicate_request empty_input enforced_spend_limit_reached error
  expired_api_key failed_precondition filtered forbidden gateway_timeout generation_error image_content_policy_violation
  image_file_not_found image_file_too_large image_parse_error image_too_large image_too_small incorrect_api_key_error
  input_validation_error insufficient_credits insufficient_funds insufficient_permissions internal internal_error
  internalerror internalservererror internal_service_error invalid_argument invalid_authentication invalid_base64_image
  invalid_beta invalid_body invalid_content_type invalid_function_parameters invalid_image_format invalid_image_mode
  invalid_image_url invalid_input invalid_json invalid_json_schema invalid_message invalid_message_role
  invalid_organization invalid_parameter invalid_parameter_error invalid_parameter_value invalid_project
  invalid_request invalid_request_body invalid_request_message invalid_request_prompt invalid_response_format
  invalid_schema invalid_token invalid_tool_call invalid_type invalid_url invalid_value invalidapikey invalidparameter
  invalidsubscription invalidurl ip_not_authorized json_decode_error json_invalid length_required limit_exceeded
  limit_requests linked_organization_spend_limit_reached llm_error malformed_request max_tokens_exceeded
  method_not_allowed missing missing_required_parameter missing_scope model.accessdenied model_access_denied
  model_error model_not_ready model_overloaded model_rate_limit model_unavailable no_capacity no_healthy_upstream
  not_found not_found_error notfound notfounderror operationnotsupportedinapiversion organization_on_hold out_of_range
  parameter_missing parse_error permission_error permissiondenied permissiondeniederror policy_violation
  precondition_failed processing_error project_not_found provider_error provider_unavailable quota_limit_exceeded
  ramp_limit_exceeded rate_limit rate_limit_error rate_limit_exceeded rate_limit_reached_error ratelimiterror
  ratelimitreached region_not_supported request_cancelled request_error request_limit_exceeded
  request_quota_exceeded request_timeout requests requests_limit_exceeded requesttimeout resource_exhausted
  resource_not_found response_error rst_stream safety_violation serialization_error server_busy server_error
  server_overloaded server_shutting_down service_disabled service_error service_unavailable
  service_unavailable_error serviceunavailable spent string_above_max_length string_too_long string_type
  throttling throttling.ratequota timeout timeout_error token_expired token_limit_exceeded token_quota_exceeded tokens
  tokens_exceeded_error too_many_images too_many_messages toomanyrequests type_error unauthorized unavailable
  unavailable_error unexpected_error unknown unknown_error unknown_parameter unknown_url unprocessable_entity
  unprocessable_entity_error unsupported_api_version unsupported_country unsupported_file unsupported_image_format
  unsupported_image_media_type unsupported_media_type unsupported_model unsupported_operation unsupportedapiversion
  upstream_error upstream_timeout usage_limit_exceeded usage_limit_reached validation_error validationerror value_error
  value_error.missing vector_store_timeout wrong_api_key wrong_api_format wrongapikey`;

const known: ReadonlySet<string> = new Set([
  ...words.trim().split(/\s+/),
  ...Object.keys(codeByWordInBand),
  ...Object.keys(codeByAwsException),
]);

/** Whether a vendor is known to use this word. `word` must be in lower case. */
export function isKnownWord(word: string): boolean {
  return known.has(word);
}

/** Names of request fields of all wires and of signalbox, in lower case without hyphens and underscores. */
const fieldWords = `
  allowedtools annotations anthropicbeta anthropicversion apikey apiversion arguments aspectratio audio authorization
  background base64 bestof betas blocks body budgettokens cache cachecontrol cachedcontent candidatecount
  citations clearthinking code config container content contents context contextmanagement conversation count custom
  data deployment description detail developer dimension dimensions disableparalleltooluse document documents echo
  effort embeddingtypes encodingformat enablethinking enum extrabody fallbacks fileid filedata files file filename
  fileuri format fps frequencypenalty functioncall functioncallingconfig functiondeclarations functionresponse function
  functions generationconfig guardrail guidance id image imageconfig imageurl images include inferencegeo inlinedata
  input inputaudio inputfile inputimage inputs inputschema inputtext inputtype instructions instances items jsonschema
  key labels logitbias logprobs maxcompletiontokens maxnewtokens maxoutputtokens maxprompttokens maxtokens
  maxtoolcalls mediaresolution mediatype message messages metadata mimetype minp mode modalities model
  modelid models moderation n name numchoices numctx numpredict object options organization output outputconfig
  outputdimensionality outputformat parallel paralleltoolcalls parameters params part parts path penalty
  precision prediction prefix presencepenalty previousresponseid project prompt promptcachekey promptcacheoptions
  promptcacheretention properties provider providers query quality randomseed reasoning reasoningcontent reasoningeffort
  reasoningformat reasoningsplit region repetitionpenalty required responseformat responsejsonschema responsemimetype
  responsemodalities responseschema role safeprompt safetyidentifier safetysettings schema searchparameters seed
  serviceid servicetier signature size source speed speechconfig stop stopsequences store stream streamoptions strict
  style suffix summary system systeminstruction temperature template text texts thinking thinkingbudget thinkingconfig
  thinkinglevel thoughtsignature title tokens toolcallid toolcalls toolchoice toolconfig toolresult tooluse tooluseid
  tool tools topa topk toplogprobs topp transforms truncate truncation ttl type uri url usage user
  userid value values verbosity version video voice websearchoptions`;

const knownFields: ReadonlySet<string> = new Set(fieldWords.trim().split(/\s+/));

/** Longer paths are not useful in a message. */
const maxParamLength = 100;

/** The segments of a vendor's path to a field: names and indexes, separated by brackets, dots or slashes. */
const segments = /[^.[\]/]+/g;

/** The path of the rejected parameter, if it consists of known field names and indexes. */
export function knownParam(param: unknown): string | undefined {
  if (typeof param !== 'string' || param.length > maxParamLength) return undefined;
  const named = param.match(segments) ?? [];
  const areKnown = named.every(
    (each) => /^\d{1,4}$/.test(each) || knownFields.has(each.toLowerCase().replace(/[-_]/g, '')),
  );
  return named.length > 0 && areKnown ? param : undefined;
}

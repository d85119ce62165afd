import { codeByAwsException } from './aws-errors.ts';
import { codeByWordInBand } from './error-words.ts';

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

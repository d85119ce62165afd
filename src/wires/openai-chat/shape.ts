import { shape } from '../common/read.ts';

const usage = shape(
  `prompt_tokens completion_tokens total_tokens prompt_tokens_details completion_tokens_details cached_tokens
  cache_creation_input_tokens cache_read_input_tokens prompt_cache_hit_tokens prompt_cache_miss_tokens reasoning_tokens
  num_cached_tokens prompt_audio_seconds request_count input_tokens output_tokens input_tokens_details
  output_tokens_details image_tokens audio_tokens text_tokens billed_units tokens search_context_size citation_tokens
  num_search_queries num_sources_used server_tool_use server_tool_use_details cost cost_details cost_in_usd_ticks is_byok
  estimated_cost extra_properties service_tier queue_time prompt_time completion_time total_time total_characters
  prompt_eval_count eval_count pages copilot_usage claude_cache_creation_5_m_tokens claude_cache_creation_1_h_tokens`,
);

const toolCall = shape('index id type custom extra_content thought_signature provider_metadata', {
  function: shape('name arguments parameters description thought_signature'),
});

/** What a delta and a message have. */
const message = shape(
  `role content name refusal function_call annotations audio audio_content reasoning reasoning_content reasoning_details
  reasoning_text reasoning_opaque reasoning_signature thinking thinking_blocks signature cot_id cot_summary tool_plan
  citations images videos context executed_tools end_turn weight token_id token_ids prefix partial extra_content
  thought_signature provider_specific_fields tool_call_id padding obfuscation phase search_results channel recipient`,
  { tool_calls: toolCall },
);

const choice = shape(
  `index finish_reason native_finish_reason logprobs content_filter_results content_filter_result stop_reason matched_stop
  text seed token_ids prompt_token_ids prompt_logprobs hidden_states meta_info routed_experts raw_output reasoning error
  finish_details completion_reason stop_sequence stop_details prompt provider_specific_fields`,
  { delta: message, message, usage },
);

/** A chunk, and a whole answer, of Chat Completions: OpenAI's fields, and those of the vendors that follow it. */
export const chatShape = shape(
  `id object created created_at model system_fingerprint service_tier obfuscation p padding error provider citations
  search_results images related_questions videos fetch_search prompt prompt_filter_results prompt_annotations moderation
  timings time_info x_groq usage_breakdown usage_info metadata meta request_id requestId trace_id type status web_search
  content_filter stats runtime model_info base_resp input_sensitive output_sensitive input_sensitive_type
  output_sensitive_type output_sensitive_int prompt_logprobs prompt_token_ids prompt_text kv_transfer_params token_ids
  perf_metrics sglext nvext served_model warnings safety cost gateway hub bot_usage copilot_usage code message msg sid
  response_metadata provider_metadata last_one openrouter_metadata output_text amazon-bedrock-guardrailAction
  amazon-bedrock-invocationMetrics amazon-bedrock-trace event_id session_id thread_id references latency
  inference_geo conversation_id metrics deprecation_warning native_finish_reason`,
  { choices: choice, usage },
);

import { shape } from '../common/read.ts';

const usage = shape(
  `input_tokens output_tokens total_tokens input_tokens_details output_tokens_details context_details cost cost_details
  cost_in_usd_ticks is_byok num_sources_used num_server_side_tools_used server_side_tool_usage_details prompt_tokens
  completion_tokens prompt_tokens_details completion_tokens_details server_tool_use_details`,
);

const content = shape(
  'text annotations logprobs refusal parsed',
  {},
  'output_text refusal reasoning_text summary_text text input_text output_audio',
);

/** The items of the vendor's own tools are passed on whole, so that only their type matters. */
const item = shape(
  `id status role phase name namespace call_id arguments input output outputs summary encrypted_content action
  actions queries query results result code container_id server_label tools error approval_request_id approve reason
  operation environment caller created_by execution fingerprint max_output_length pending_safety_checks
  acknowledged_safety_checks parsed_arguments revised_prompt size quality background output_format format signature async
  metadata model stdout stderr exit_code`,
  { content },
  `message reasoning function_call function_call_output custom_tool_call custom_tool_call_output web_search_call
  file_search_call computer_call computer_call_output code_interpreter_call image_generation_call local_shell_call
  local_shell_call_output shell_call shell_call_output apply_patch_call apply_patch_call_output mcp_call mcp_list_tools
  mcp_approval_request mcp_approval_response tool_search_call tool_search_output additional_tools compaction program
  program_output x_search_call openrouter:web_search openrouter:datetime`,
);

/** A whole answer of the Responses API. The request's own settings come back in it. */
export const responseShape = shape(
  `id object status created_at completed_at model output_text error incomplete_details service_tier system_fingerprint
  access_programs background billing citations content_filters conversation copilot_usage debug_output
  frequency_penalty image instructions max_output_tokens max_tool_calls metadata moderation parallel_tool_calls
  presence_penalty previous_response_id prompt prompt_cache_diagnostics prompt_cache_key prompt_cache_options
  prompt_cache_retention reasoning safety_identifier search_parameters store stop temperature text tool_choice tool_usage
  tools top_logprobs top_p truncation user obfuscation cost provider openrouter_metadata request_id include input`,
  { output: item, usage },
);

/** An event of the Responses API. */
export const responseEventShape = shape(
  `sequence_number output_index content_index summary_index annotation_index annotation item_id delta text refusal
  arguments input code logprobs obfuscation code message param error name partial_image_b64 partial_image_index size quality
  background output_format id command command_index transcript steer stream_id status response_id copilot_usage`,
  { response: responseShape, item, part: content },
  `response.created response.queued response.in_progress response.completed response.incomplete response.failed error
  response.error response.done response.output_item.added response.output_item.done response.content_part.added
  response.content_part.done response.output_text.delta response.output_text.done response.output_text.annotation.added
  response.refusal.delta response.refusal.done response.reasoning.delta response.reasoning.done
  response.reasoning_summary.delta response.reasoning_summary.done response.reasoning_summary_part.added
  response.reasoning_summary_part.done response.reasoning_summary_text.delta response.reasoning_summary_text.done
  response.reasoning_text.delta response.reasoning_text.done response.function_call_arguments.delta
  response.function_call_arguments.done response.custom_tool_call_input.delta response.custom_tool_call_input.done
  response.web_search_call.in_progress response.web_search_call.searching response.web_search_call.completed
  response.file_search_call.in_progress response.file_search_call.searching response.file_search_call.completed
  response.code_interpreter_call.in_progress response.code_interpreter_call.interpreting
  response.code_interpreter_call.completed response.code_interpreter_call_code.delta
  response.code_interpreter_call_code.done response.image_generation_call.in_progress
  response.image_generation_call.generating response.image_generation_call.partial_image
  response.image_generation_call.completed response.mcp_call.in_progress response.mcp_call.completed
  response.mcp_call.failed response.mcp_call_arguments.delta response.mcp_call_arguments.done
  response.mcp_list_tools.in_progress response.mcp_list_tools.completed response.mcp_list_tools.failed
  response.audio.delta response.audio.done response.audio.transcript.delta response.audio.transcript.done
  response.shell_call_command.added response.shell_call_command.delta response.shell_call_command.done
  response.shell_call_output_content.delta response.shell_call_output_content.done response.compaction.compacting
  response.steer response.steer.accepted response.steer.pending response.steer.failed keepalive keep-alive ping heartbeat`,
);

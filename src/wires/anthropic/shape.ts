import { shape } from '../common/read.ts';

const usage = shape(
  `input_tokens output_tokens cache_creation cache_creation_input_tokens cache_read_input_tokens server_tool_use service_tier
  inference_geo iterations output_tokens_details prompt_tokens completion_tokens total_tokens cached_tokens speed
  fallback_credit cost`,
);

const blockTypes = `text thinking redacted_thinking tool_use server_tool_use mcp_tool_use mcp_tool_result fallback
  web_search_tool_result web_fetch_tool_result code_execution_tool_result bash_code_execution_tool_result
  text_editor_code_execution_tool_result tool_search_tool_result advisor_tool_result container_upload compaction
  mcp_tool_listing image document search_result`;

/** The blocks that are not read are passed on whole, so that only their type matters. */
const block = shape(
  `text citations thinking signature data id name input caller tool_use_id content is_error server_name from to file_id
  source title context cache_control encrypted_content trigger metadata estimated_tokens toolset_name tools`,
  {},
  blockTypes,
);

/** A whole message of the Messages API. */
export const messageShape = shape(
  `type id role model stop_reason stop_sequence stop_details container context_management
  diagnostics input_transformations request_id created provider service_tier base_resp amazon-bedrock-invocationMetrics
  amazon-bedrock-guardrailAction amazon-bedrock-trace error cost metadata`,
  { content: block, usage },
);

const delta = shape(
  `text thinking signature partial_json citation stop_reason stop_sequence stop_details container content
  encrypted_content estimated_tokens usage`,
  {},
  'text_delta thinking_delta signature_delta input_json_delta citations_delta compaction_delta',
);

/** An event of the Messages API. `message_delta` has a delta without a type. */
export const messageEventShape = shape(
  `index context_management input_transformations error request_id p obfuscation amazon-bedrock-invocationMetrics
  amazon-bedrock-guardrailAction amazon-bedrock-trace`,
  { message: messageShape, content_block: block, delta, usage },
  `message_start content_block_start content_block_delta content_block_stop message_delta message_stop ping error
  keepalive keep-alive heartbeat`,
);

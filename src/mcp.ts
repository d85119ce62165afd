export { createMcpServer, type McpServerOptions } from './apps/mcp/create-mcp-server.ts';
export type { CallResult, ContentBlock, McpClient } from './apps/mcp/mcp-client.ts';
export {
  type McpPins,
  type McpTool,
  type McpToolsOptions,
  mcpPins,
  mcpTools,
} from './apps/mcp/mcp-tools.ts';

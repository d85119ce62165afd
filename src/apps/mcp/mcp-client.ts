import type { JsonSchema } from '../../protocol/json.ts';

/** Options of a request to an MCP server. */
type RequestOptions = {
  readonly signal?: AbortSignal;
  /** Milliseconds without an answer or progress. */
  readonly timeout?: number;
};

/** A block of a tool's result. Others than these types are ignored. */
export type ContentBlock =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image' | 'audio'; readonly data: string; readonly mimeType: string }
  | { readonly type: 'resource_link'; readonly uri: string; readonly name: string }
  | {
      readonly type: 'resource';
      readonly resource: {
        readonly uri: string;
        readonly mimeType?: string | undefined;
      } & ({ readonly text: string } | { readonly blob: string });
    };

/** The result of a tool. */
export type CallResult = {
  readonly content?: readonly ContentBlock[] | undefined;
  readonly structuredContent?: unknown;
  readonly isError?: boolean | undefined;
};

/** What `mcpTools` needs of a `Client` of `@modelcontextprotocol/client`. */
export interface McpClient {
  listTools(
    params?: { cursor?: string },
    options?: RequestOptions & { readonly cacheMode?: 'refresh' },
  ): Promise<{
    readonly tools: readonly {
      readonly name: string;
      readonly description?: string | undefined;
      readonly inputSchema: JsonSchema;
    }[];
    readonly nextCursor?: string | undefined;
  }>;
  callTool(
    params: { name: string; arguments?: Record<string, unknown> },
    options?: RequestOptions,
  ): Promise<CallResult>;
}

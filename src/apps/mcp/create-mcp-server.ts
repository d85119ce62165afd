import type { CallToolResult, McpServer, ServerContext } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { isSignalboxError, SignalboxError } from '../../errors.ts';
import { version } from '../../internal/version.ts';
import type { TagOptions } from '../../protocol/completion.ts';
import type { Router } from '../../protocol/router.ts';
import { systemRuntime } from '../../runtime.ts';
import { serverPackage } from './server-package.ts';
import { type ServerToolContext, serverTools } from './server-tools.ts';

export type McpServerOptions<Tier extends string = string> = {
  /** The tiers that clients see and may call. @default all */
  readonly tiers?: readonly Tier[] | undefined;
  /** Tags of each call, such as `subject` for the budget of a client. */
  readonly tags?: TagOptions | undefined;
  /**
   * Aborts the calls of this server. Over HTTP: the signal of the request, so that a call ends when its client leaves. A
   * client that cancels a call aborts it without this.
   */
  readonly signal?: AbortSignal | undefined;
};

/** Milliseconds between reports of progress, which keep a client from giving up on a long answer. */
const progressMs = 5_000;

function checkTiers(tiers: readonly string[] | undefined): void {
  if (tiers === undefined || tiers.length > 0) return;
  throw new SignalboxError('config', 'createMcpServer(): tiers must not be empty');
}

/** What a client may know of a failure: no stack, and nothing of an error that is not ours. */
function failureOf(error: unknown): CallToolResult {
  if (error instanceof z.ZodError) return failed('invalid_request', z.prettifyError(error));
  if (!isSignalboxError(error)) return failed('internal', 'The call failed.');
  return failed(error.code, error.message, error.retryAfterMs);
}

function failed(code: string, message: string, retryAfterMs?: number): CallToolResult {
  const details = { code, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  return {
    isError: true,
    content: [{ type: 'text', text: `${code}: ${message}` }],
    _meta: { 'signalbox/error': details },
  };
}

/** Reports progress until the call ends, to a client that wants it. The number means nothing but that it goes on. */
async function reportProgress({ mcpReq }: ServerContext, ended: AbortSignal): Promise<void> {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return;
  try {
    for (let progress = 1; ; progress++) {
      await systemRuntime.sleep(progressMs, ended);
      const params = { progressToken, progress };
      await mcpReq.notify({ method: 'notifications/progress', params });
    }
  } catch {
    // The call has ended, or its client has left.
  }
}

/** JSON Schema of an object, as tools have it. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output'): { type: 'object' } {
  return z.toJSONSchema(schema, { io }) as { type: 'object' };
}

async function callTool(
  name: string,
  input: unknown,
  tiers: readonly string[],
  context: ServerToolContext,
): Promise<CallToolResult> {
  const tool = serverTools.get(name);
  if (tool === undefined) {
    const { ProtocolError, ProtocolErrorCode } = serverPackage();
    throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'there is no tool of that name');
  }
  try {
    const { text, structured } = await tool.run(input, tiers, context);
    return { content: [{ type: 'text', text }], structuredContent: structured };
  } catch (error) {
    return failureOf(error);
  }
}

/**
 * An MCP server with the tools `complete`, `explain` and `snapshot` of a router. It keeps nothing between requests: make one
 * for each connection or HTTP request. Closing it does not close the router.
 *
 * @throws SignalboxError `config` if `tiers` is empty, or if `@modelcontextprotocol/server` is not installed
 */
export function createMcpServer<Tier extends string>(
  router: Pick<Router<Tier>, 'complete' | 'explain' | 'snapshot' | 'describe'>,
  options: McpServerOptions<Tier> = {},
): McpServer {
  const { tiers: shown, tags, signal: closed } = options;
  checkTiers(shown);
  // Clients name tiers as strings, which the schemas of the tools check.
  const anyRouter = router as unknown as Router;
  const tiersNow = async (): Promise<readonly string[]> =>
    shown ?? (await anyRouter.describe()).tiers.map(({ name }) => name);

  const sdk = serverPackage();
  const mcp = new sdk.McpServer({ name: 'signalbox', version });
  // Handlers of our own, because the tiers in the schemas change with `reconfigure`.
  const { server } = mcp;
  server.registerCapabilities({ tools: {} });
  server.setRequestHandler('tools/list', async () => {
    const tiers = await tiersNow();
    const tools = [...serverTools].map(([name, tool]) => ({
      name,
      title: tool.title,
      description: tool.description,
      inputSchema: schemaOf(tool.inputSchema(tiers), 'input'),
      outputSchema: schemaOf(tool.outputSchema, 'output'),
      annotations: tool.annotations,
    }));
    return { tools };
  });
  server.setRequestHandler('tools/call', async ({ params }, context) => {
    const ended = new AbortController();
    void reportProgress(context, ended.signal);
    const { signal: cancelled } = context.mcpReq;
    const signal = closed === undefined ? cancelled : AbortSignal.any([cancelled, closed]);
    try {
      const toolContext = { router: anyRouter, shown, tags, signal };
      return await callTool(params.name, params.arguments ?? {}, await tiersNow(), toolContext);
    } finally {
      ended.abort();
    }
  });
  return mcp;
}

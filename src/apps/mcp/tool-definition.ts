import { hash } from 'node:crypto';
import { SignalboxError } from '../../errors.ts';
import { dataFlaws } from '../../internal/caller-data.ts';
import { quoted } from '../../internal/quoted.ts';
import type { JsonSchema } from '../../protocol/json.ts';
import type { McpClient } from './mcp-client.ts';

/** What a model reads of a tool. */
export type ToolDefinition = {
  readonly name: string;
  readonly description?: string | undefined;
  readonly inputSchema: JsonSchema;
};

/** Bounds of what a server may send. */
const maxPages = 64;
const maxTools = 1_000;
/** Characters of a definition as JSON: a model reads it with every request. */
const maxDefinitionLength = 65_536;
const maxSchemaDepth = 32;

/** Replaces characters that move the cursor or change the direction of text. */
export function shownName(name: string): string {
  return quoted(name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\uFFFD'));
}

function invalid(what: string, cause?: unknown): SignalboxError {
  const options = cause === undefined ? {} : { cause };
  return new SignalboxError('invalid_response', `the MCP server ${what}`, options);
}

/** JSON with the names of each object in order, so that equal definitions are equal texts. */
function canonical(value: unknown, depth: number): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (depth === 0) throw new RangeError('too deep');
  if (Array.isArray(value)) {
    return `[${value.map((each) => canonical(each, depth - 1)).join(',')}]`;
  }
  const fields = Object.entries(value)
    .filter(([, each]) => each !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, each]) => `${JSON.stringify(key)}:${canonical(each, depth - 1)}`);
  return `{${fields.join(',')}}`;
}

/**
 * The hash of what a model reads of a tool: its name, its description and the schema of its input.
 * @throws SignalboxError `invalid_response` if the definition is too large or too deep to be given to a model
 */
export function hashOf({ name, description, inputSchema }: ToolDefinition): string {
  const shown = shownName(name);
  const [flaw] = dataFlaws(inputSchema);
  if (flaw !== undefined) throw invalid(`sent a schema for ${shown} that ${flaw.message}`);
  let text: string;
  try {
    text = canonical({ name, description, inputSchema }, maxSchemaDepth);
  } catch {
    throw invalid(`sent a schema for ${shown} that is more than ${maxSchemaDepth} levels deep`);
  }
  if (text.length > maxDefinitionLength) {
    const size = `${text.length} characters, and at most ${maxDefinitionLength} are allowed`;
    throw invalid(`sent a definition of ${shown} that has ${size}`);
  }
  return `sha256-${hash('sha256', text, 'base64')}`;
}

async function pageOf(client: McpClient, cursor: string | undefined, signal?: AbortSignal) {
  const options = { cacheMode: 'refresh', ...(signal !== undefined && { signal }) } as const;
  try {
    return await client.listTools(cursor === undefined ? undefined : { cursor }, options);
  } catch (cause) {
    if (signal?.aborted === true) throw cause;
    throw invalid('did not list its tools', cause);
  }
}

/**
 * The tools of a server by name: all pages, past the client's cache.
 * @throws SignalboxError `invalid_response` if the list fails, is too long, does not end or has a name twice
 */
export async function listDefinitions(
  client: McpClient,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, ToolDefinition>> {
  const definitions = new Map<string, ToolDefinition>();
  let cursor: string | undefined;
  for (let page = 0; page < maxPages; page++) {
    const { tools, nextCursor } = await pageOf(client, cursor, signal);
    for (const { name, description, inputSchema } of tools) {
      if (definitions.has(name)) throw invalid(`has two tools named ${shownName(name)}`);
      definitions.set(name, { name, description, inputSchema });
      if (definitions.size > maxTools) throw invalid(`has more than ${maxTools} tools`);
    }
    if (nextCursor === undefined) return definitions;
    cursor = nextCursor;
  }
  throw invalid(`has a list of tools with more than ${maxPages} pages`);
}

import { SignalboxError } from '../../errors.ts';
import { closest } from '../../internal/closest.ts';
import { quoted, quotedList } from '../../internal/quoted.ts';
import type { Json, JsonSchema } from '../../protocol/json.ts';
import type { RunnableTool } from '../agents/tool.ts';
import type { McpClient } from './mcp-client.ts';
import { hashOf, listDefinitions, shownName, type ToolDefinition } from './tool-definition.ts';
import { rejectionOf, toolOutputOf } from './tool-output.ts';

/** By the name of a tool at its server: the hash of the definition that you have read, from {@link mcpPins}. */
export type McpPins = Readonly<Record<string, string>>;

export type McpToolsOptions = {
  /**
   * The tools that run without an approval, by their names at the server: with the hashes of their definitions, or a list of
   * names. All others are `destructive`.
   * @default none
   */
  readonly allow?: McpPins | readonly string[] | undefined;
  /**
   * The hashes of further tools, which run after an approval. With hashes, here or in `allow`, tools without a hash are left
   * out. Without any, all tools of the server are offered, as it defines them now.
   */
  readonly pins?: McpPins | undefined;
  /** Put before the name of each tool, with `_`: the tools of two servers may have the same names. */
  readonly prefix?: string | undefined;
  /** Milliseconds after which a call of a tool has failed. @default 60_000 */
  readonly timeoutMs?: number | undefined;
  /** Most bytes of a result, as JSON. A larger one is a failure of the tool. @default 1_000_000 */
  readonly maxResultBytes?: number | undefined;
  /** Aborts the listing of the tools. A call of a tool has the signal of its run. */
  readonly signal?: AbortSignal | undefined;
};

/** A tool of an MCP server, for `runTools`. */
export type McpTool = RunnableTool<string, JsonSchema> & {
  /** Whether it needs an approval. */
  readonly destructive: boolean;
};

/** The vendors' common rule for names of tools. */
const maxNameLength = 64;
const hashPattern = /^sha256-[A-Za-z0-9+/]{43}=$/;

const config = (message: string): SignalboxError =>
  new SignalboxError('config', `mcpTools(): ${message}`);

function checkHashes(option: string, pins: McpPins): void {
  for (const [name, hash] of Object.entries(pins)) {
    if (hashPattern.test(hash)) continue;
    throw config(`${option}[${shownName(name)}] must be a hash of mcpPins(), such as sha256-…`);
  }
}

const optionNames = {
  ...{ allow: true, pins: true, prefix: true, timeoutMs: true, maxResultBytes: true, signal: true },
} as const satisfies Record<keyof McpToolsOptions, true>;

/** A misspelt `pins` would offer all tools of the server. */
function checkOptions(options: McpToolsOptions): void {
  const known = Object.keys(optionNames);
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const near = closest(unknown, known);
    const hint = near === undefined ? `there is ${quotedList(known)}` : `did you mean "${near}"?`;
    throw config(`${quoted(unknown)} is not an option; ${hint}`);
  }
  const { allow = [], pins = {} } = options;
  for (const [name, value] of Object.entries({ allow, pins })) {
    if (typeof value === 'object' && value !== null) continue;
    throw config(
      `${name} must be hashes by names of tools${name === 'allow' ? ', or a list of names' : ''}`,
    );
  }
}

/** What the options say, in one shape. */
type Plan = {
  readonly allowed: ReadonlySet<string>;
  /** Absent if there are no hashes. */
  readonly pins: ReadonlyMap<string, string> | undefined;
};

function planOf(options: McpToolsOptions): Plan {
  checkOptions(options);
  const { allow = [], pins } = options;
  const isList = Array.isArray(allow);
  const allowPins: McpPins | undefined = isList ? undefined : (allow as McpPins);
  if (allowPins !== undefined) checkHashes('allow', allowPins);
  if (pins !== undefined) checkHashes('pins', pins);
  const names: readonly string[] = isList ? allow : Object.keys(allow);
  const hasHashes = pins !== undefined || allowPins !== undefined;
  return {
    allowed: new Set(names),
    pins: hasHashes ? new Map(Object.entries({ ...pins, ...allowPins })) : undefined,
  };
}

function missing(name: string, definitions: ReadonlyMap<string, ToolDefinition>): SignalboxError {
  const near = closest(name, [...definitions.keys()]);
  const hint = near === undefined ? '' : `; did you mean ${shownName(near)}?`;
  return config(`the MCP server has no tool ${shownName(name)}${hint}`);
}

const blocked = (message: string): SignalboxError =>
  new SignalboxError('policy_blocked', message, { policy: 'mcp', rule: 'pinned-definition' });

/** @throws SignalboxError `policy_blocked` if it is not the definition of that hash */
function checkPin(definition: ToolDefinition, pin: string): void {
  const hash = hashOf(definition);
  if (hash === pin) return;
  const what = `the description or the schema of its tool ${shownName(definition.name)}`;
  throw blocked(
    `the MCP server has changed ${what}: read it, and if you agree replace ${pin} by ${hash}`,
  );
}

/** A name that every vendor accepts. */
function vendorName(name: string, prefix: string | undefined): string {
  const full = (prefix === undefined ? name : `${prefix}_${name}`).replace(/[^\w-]/g, '_');
  if (full.length > 0 && full.length <= maxNameLength) return full;
  throw config(
    `the name of the tool ${shownName(name)} must have 1 to ${maxNameLength} characters`,
  );
}

function argumentsOf(input: Json): Record<string, unknown> {
  return typeof input === 'object' && input !== null && !Array.isArray(input) ? { ...input } : {};
}

/** The tools to offer, each with the hash that its definition must keep. */
function offered(
  definitions: ReadonlyMap<string, ToolDefinition>,
  { allowed, pins }: Plan,
): readonly (readonly [ToolDefinition, string])[] {
  for (const name of allowed) {
    if (!definitions.has(name)) throw missing(name, definitions);
    if (pins !== undefined && !pins.has(name)) {
      throw config(`allow has ${shownName(name)}, which has no hash in pins`);
    }
  }
  if (pins === undefined) return [...definitions.values()].map((each) => [each, hashOf(each)]);
  return [...pins].map(([name, pin]) => {
    const definition = definitions.get(name);
    if (definition === undefined) throw missing(name, definitions);
    checkPin(definition, pin);
    return [definition, pin];
  });
}

/**
 * The tools of an MCP server, for `runTools`. Each is `destructive`, so that it needs an approval, unless `allow` has it. A
 * tool is its definition: one whose description or schema is not that of its hash is refused, now and before each call.
 *
 * @throws SignalboxError `policy_blocked` if a definition does not have its hash; `invalid_response` if the server's list
 * cannot be used; `config` for options that do not fit to it
 */
export async function mcpTools(
  client: McpClient,
  options: McpToolsOptions = {},
): Promise<readonly McpTool[]> {
  const { prefix, timeoutMs = 60_000, maxResultBytes = 1_000_000, signal } = options;
  const plan = planOf(options);
  const names = new Map<string, string>();
  const definitions = await listDefinitions(client, signal);
  return offered(definitions, plan).map(([{ name, description, inputSchema }, pin]) => {
    const unique = vendorName(name, prefix);
    const other = names.get(unique);
    if (other !== undefined) {
      const both = `${shownName(other)} and ${shownName(name)}`;
      throw config(`the tools ${both} would both be named "${unique}": leave one out with pins`);
    }
    names.set(unique, name);
    return {
      name: unique,
      ...(description !== undefined && { description }),
      inputSchema,
      destructive: !plan.allowed.has(name),
      timeoutMs,
      async execute(input, context) {
        const current = (await listDefinitions(client, context.signal)).get(name);
        if (current === undefined) {
          throw blocked(`the MCP server does not have the tool ${shownName(name)} any more`);
        }
        checkPin(current, pin);
        try {
          const request = { name, arguments: argumentsOf(input) };
          const settings = { signal: context.signal, timeout: timeoutMs };
          return toolOutputOf(await client.callTool(request, settings), maxResultBytes);
        } catch (error) {
          throw rejectionOf(error) ?? error;
        }
      },
    };
  });
}

/**
 * The hash of each tool of an MCP server, for `mcpTools`. Read the descriptions and the schemas before you keep the hashes:
 * they are a part of every prompt.
 * @throws SignalboxError `invalid_response` if the server's list cannot be used
 */
export async function mcpPins(client: McpClient, signal?: AbortSignal): Promise<McpPins> {
  const definitions = await listDefinitions(client, signal);
  // Without a prototype, so that a tool may be called `__proto__`.
  const pins: Record<string, string> = Object.create(null);
  for (const [name, definition] of definitions) pins[name] = hashOf(definition);
  return pins;
}

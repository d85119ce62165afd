import type { ToolAnnotations } from '@modelcontextprotocol/server';
import * as z from 'zod';
import type { CallOptions } from '../../protocol/call-options.ts';
import type { Completion, TagOptions } from '../../protocol/completion.ts';
import type { Message } from '../../protocol/message.ts';
import type { Router, Snapshot } from '../../protocol/router.ts';

/** What a tool gets besides its input. */
export type ServerToolContext = {
  readonly router: Router;
  /** The tiers that clients may see, if not all. */
  readonly shown: readonly string[] | undefined;
  readonly tags: TagOptions | undefined;
  readonly signal: AbortSignal;
};

type ToolResult = { readonly text: string; readonly structured: Record<string, unknown> };

/** A tool of the server. */
export type ServerTool = {
  readonly title: string;
  readonly description: string;
  readonly annotations: ToolAnnotations;
  inputSchema(tiers: readonly string[]): z.ZodType;
  readonly outputSchema: z.ZodType;
  /** @throws z.ZodError if the input is not of the schema */
  run(input: unknown, tiers: readonly string[], context: ServerToolContext): Promise<ToolResult>;
};

const message = z.strictObject({
  role: z.enum(['system', 'user', 'assistant']),
  content: z.string(),
});

function callInput(tiers: readonly string[]) {
  return z.strictObject({
    tier: z.enum(tiers).describe('The service level: its targets are tried in order.'),
    prompt: z.string().optional().describe('The text to answer. Instead of messages.'),
    messages: z.array(message).min(1).optional().describe('A conversation. Instead of prompt.'),
    system: z.string().optional().describe('Instructions before the conversation.'),
    maxOutputTokens: z.int().positive().optional(),
    temperature: z.number().min(0).optional(),
    stop: z.array(z.string()).optional().describe('Texts that end the answer.'),
    schema: z
      .record(z.string(), z.unknown())
      .optional()
      .describe('JSON Schema of the answer, which is validated and returned as "object".'),
  });
}

type CallInput = z.infer<ReturnType<typeof callInput>>;

type Call = {
  readonly tier: string;
  readonly messages: string | readonly Message[];
  readonly options: CallOptions;
};

function parseCall(input: unknown, tiers: readonly string[], context: ServerToolContext): Call {
  const oneOf = 'one of "prompt" and "messages" is required';
  const schema = callInput(tiers).refine(
    ({ prompt, messages }) => (prompt === undefined) !== (messages === undefined),
    oneOf,
  );
  const { tier, prompt, messages, ...options }: CallInput = schema.parse(input);
  const { signal, tags } = context;
  return { tier, messages: prompt ?? messages ?? [], options: { ...options, signal, tags } };
}

/** Data as a client gets it: without fields that are `undefined`. */
function plain(data: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(data)) as Record<string, unknown>;
}

const answerOutput = z.looseObject({
  text: z.string(),
  object: z.unknown().optional().describe('The answer as data, if a schema was given.'),
  tier: z.string(),
  target: z.string().describe('provider/model that answered.'),
  model: z.string().describe('The model that the vendor reports.'),
  finishReason: z.string(),
  usage: z.looseObject({ inputTokens: z.number(), outputTokens: z.number() }),
  cost: z.looseObject({
    usd: z.number().nullable().describe('US dollars of this answer. null: the price is unknown.'),
    attemptsUsd: z.number().describe('The same with the failed attempts.'),
  }),
  totalMs: z.number(),
  callId: z.string(),
  warnings: z.array(z.string()).optional(),
});

function answerOf(completion: Omit<Completion, 'toolCalls'>): z.infer<typeof answerOutput> {
  const { text, object, tier, target, model, finishReason, usage, cost, warnings } = completion;
  return {
    text,
    ...(object !== undefined && { object }),
    tier,
    target,
    model: model.served,
    finishReason,
    usage: { inputTokens: usage.inputTokens, outputTokens: usage.outputTokens },
    cost: { usd: cost.usd, attemptsUsd: cost.attemptsUsd },
    totalMs: completion.latency.totalMs,
    callId: completion.callId,
    ...(warnings.length > 0 && { warnings: warnings.map((each) => each.message) }),
  };
}

const complete: ServerTool = {
  title: 'Ask a model',
  description:
    'Sends a prompt or a conversation to the models of a tier and returns the answer. If a model fails, the next one of the tier answers. Each call is billed.',
  // It changes nothing, but it costs money: a client must not take it for free.
  annotations: {
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: false,
    openWorldHint: true,
  },
  inputSchema: callInput,
  outputSchema: answerOutput,
  async run(input, tiers, context) {
    const { tier, messages, options } = parseCall(input, tiers, context);
    const completion = await context.router.complete(tier, messages, options);
    return { text: completion.text, structured: plain(answerOf(completion)) };
  },
};

const explain: ServerTool = {
  title: 'Explain a call',
  description:
    'Returns which models a call would try, in which order and at which cost, and which it would skip and why. Sends nothing to any model.',
  annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
  inputSchema: callInput,
  outputSchema: z.looseObject({
    tier: z.string(),
    rule: z.string().optional().describe('The routing rule that matched.'),
    strategy: z.string(),
    candidates: z.array(z.looseObject({ target: z.string() })),
    skipped: z.array(z.looseObject({ target: z.string(), reason: z.string() })),
  }),
  async run(input, tiers, context) {
    const { tier, messages, options } = parseCall(input, tiers, context);
    const structured = plain(await context.router.explain(tier, messages, options));
    return { text: JSON.stringify(structured), structured };
  },
};

const snapshotInput = z.strictObject({});

/** The part of the state that is about the shown tiers. Budgets are about all of them. */
async function shownState({ router, shown }: ServerToolContext): Promise<object> {
  const snapshot: Snapshot = router.snapshot();
  if (shown === undefined) return snapshot;
  const { tiers } = await router.describe();
  const visible = tiers.filter(({ name }) => shown.includes(name));
  const names = new Set(visible.flatMap(({ targets }) => targets.map(({ target }) => target)));
  const { at, targets, priceLists } = snapshot;
  const entries = Object.entries(targets).filter(([target]) => names.has(target));
  return { at, targets: Object.fromEntries(entries), priceLists };
}

const snapshot: ServerTool = {
  title: 'State of the router',
  description:
    'Returns the health, the limits and the latency of each model, and the state of the budgets. Sends nothing to any model.',
  annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
  inputSchema: () => snapshotInput,
  outputSchema: z.looseObject({
    at: z.number().describe('Epoch milliseconds.'),
    targets: z.record(z.string(), z.looseObject({ circuit: z.string() })),
  }),
  async run(input, _tiers, context) {
    snapshotInput.parse(input);
    const structured = plain(await shownState(context));
    return { text: JSON.stringify(structured), structured };
  },
};

/** The tools of the server, by name. */
export const serverTools: ReadonlyMap<string, ServerTool> = new Map([
  ['complete', complete],
  ['explain', explain],
  ['snapshot', snapshot],
]);

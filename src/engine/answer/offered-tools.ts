import type { ResolvedTarget } from '../../config/resolve.ts';
import type { SignalboxError } from '../../errors.ts';
import type { Completion, Warning } from '../../protocol/completion.ts';
import type { Json } from '../../protocol/json.ts';
import type { NormalMessage, ToolCallPart } from '../../protocol/message.ts';
import type { ToolChoice } from '../../protocol/request.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { Usage } from '../../protocol/usage.ts';
import { type Collected, estimateUsage } from '../core/collected.ts';
import type { Call } from '../core/engine.ts';
import { optionsFor } from '../core/engine.ts';
import type { AnsweredRequest } from '../core/task.ts';
import { invalidOutput } from './output-check.ts';

/** A call that may not be made, as far as it is known. */
export type InvalidCall = Pick<ToolCallPart, 'id' | 'name'>;

type JsonObject = { readonly [key: string]: Json };

/**
 * Request fields that refer to something on the vendor's side which may offer tools: a stored prompt (OpenAI) and a
 * cached context (Gemini). Which tools these are cannot be known here.
 */
const fieldsWithUnknownTools = ['prompt', 'cachedContent', 'cached_content'];

/** Gemini's computer use: its calls are for the caller to run, under names that the request does not hold. */
const toolsWithUnknownNames = ['computerUse', 'computer_use'];

/** A name that a model made up may be of any length. */
const maxQuotedCharacters = 64;

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

/** Whether a tool, as one of the vendors wants it described, offers what is called `name`. */
function offers(tool: Json | undefined, name: string): boolean {
  if (!isObject(tool)) return false;
  if (toolsWithUnknownNames.some((key) => key in tool)) return true;
  // OpenAI's two kinds of tools, and lists of them: Gemini's, and the namespaces of OpenAI.
  const lists = [tool.functionDeclarations, tool.function_declarations, tool.tools];
  return (
    tool.name === name ||
    offers(tool.function, name) ||
    offers(tool.custom, name) ||
    lists.some((list) => listOf(list).some((each) => offers(each, name)))
  );
}

/** Whether the caller's own addition to the request body offers the tool. */
function isOfferedIn(body: JsonObject | undefined, name: string): boolean {
  if (body === undefined) return false;
  return (
    fieldsWithUnknownTools.some((field) => field in body) ||
    [...listOf(body.tools), ...listOf(body.functions)].some((tool) => offers(tool, name))
  );
}

function quoted(name: string): string {
  return JSON.stringify(name.slice(0, maxQuotedCharacters).toWellFormed());
}

/** The one tool that may be called; `undefined` where the target was not asked for it, which a warning then says. */
function forcedTool(
  { warnings }: AnsweredRequest,
  choice: ToolChoice | undefined,
): string | undefined {
  if (typeof choice !== 'object') return undefined;
  return warnings.some(({ param }) => param === 'toolChoice') ? undefined : choice.name;
}

/**
 * Why an answer must not call a tool: it was not offered, or `toolChoice` excludes it. `undefined` when it may be
 * called. Names are compared as they are: a tool under another spelling is another tool.
 */
export function callProblem(
  toolNames: ReadonlySet<string>,
  name: string,
  request: AnsweredRequest,
): SignalboxError | undefined {
  const { target, options } = request;
  const { toolChoice, providerOptions } = options;
  if (isOfferedIn(providerOptions?.[target.provider], name)) return undefined;
  const called = `it called the tool ${quoted(name)}`;
  if (!toolNames.has(name)) {
    const names = [...toolNames].map(quoted).join(', ');
    const offered = names === '' ? 'there are no tools to call' : `the tools are ${names}`;
    return invalidOutput(
      'it calls a tool that was not offered; see cause',
      `${called}, which does not exist; ${offered}`,
    );
  }
  if (toolChoice === 'none') {
    return invalidOutput(
      "it calls a tool, though toolChoice is 'none'",
      `${called}, but no tool may be called now`,
    );
  }
  const forced = forcedTool(request, toolChoice);
  if (forced === undefined || forced === name || !toolNames.has(forced)) return undefined;
  return invalidOutput(
    'it calls another tool than the one in toolChoice; see cause',
    `${called}, but only the tool ${quoted(forced)} may be called now`,
  );
}

/** The tool call that begins or ends with the part. */
function calledIn(part: ProviderPart): InvalidCall | undefined {
  if (part.type === 'tool-call-start') return part;
  return part.type === 'part-end' && part.part.type === 'tool-call' ? part.part : undefined;
}

/** Checks the tool calls of one attempt's answer. */
export class CallGuard {
  /** The call that a stream was ended for. The reader has not seen it. */
  invalidCall: InvalidCall | undefined;
  readonly #call: Call;
  readonly #target: ResolvedTarget;
  readonly #warnings: readonly Warning[];

  constructor(call: Call, target: ResolvedTarget, warnings: readonly Warning[]) {
    this.#call = call;
    this.#target = target;
    this.#warnings = warnings;
  }

  /**
   * Ends a stream at a call that may not be made, as soon as its name is known, so that its reader never sees it.
   * A whole answer is checked at its end, when all of its usage has been reported.
   *
   * @throws SignalboxError `invalid_output`
   */
  readonly see = (part: ProviderPart): void => {
    const called = calledIn(part);
    if (called === undefined || this.#call.mode !== 'stream') return;
    const problem = this.#problemOf(called.name);
    if (problem === undefined) return;
    this.invalidCall = { id: called.id, name: called.name };
    throw problem;
  };

  /** The whole answer once it has passed all checks. @throws SignalboxError when it is of no use */
  check(completion: Completion): Completion | Promise<Completion> {
    for (const { name } of completion.toolCalls) {
      const problem = this.#problemOf(name);
      if (problem !== undefined) throw problem;
    }
    return this.#call.task.check(completion);
  }

  /** The usage of a stream that was ended here: its vendor bills it, but had no time to report the usage. */
  estimate(messages: readonly NormalMessage[], collected: Collected): Usage | undefined {
    if (this.invalidCall === undefined) return undefined;
    return estimateUsage(messages, collected.partial(this.#target.id).content);
  }

  #problemOf(name: string): SignalboxError | undefined {
    const options = optionsFor(this.#call, this.#target);
    const request = { target: this.#target, options, warnings: this.#warnings };
    return this.#call.task.callProblem?.(name, request);
  }
}

import type { SignalboxError } from '../../errors.ts';
import type { Warning } from '../../protocol/completion.ts';
import type { Json } from '../../protocol/json.ts';
import type { NormalMessage, ToolCallPart } from '../../protocol/message.ts';
import type { ToolChoice } from '../../protocol/request.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { Usage } from '../../protocol/usage.ts';
import type { AttemptPlan } from '../core/attempt-plan.ts';
import { type Collected, estimateUsage } from '../core/collected.ts';
import type { AnsweredRequest, WholeCompletion } from '../core/task.ts';
import { invalidOutput } from './output-check.ts';

/** A tool call that is not allowed, as far as it is known. */
export type InvalidCall = Pick<ToolCallPart, 'id' | 'name'>;

type JsonObject = { readonly [key: string]: Json };

/**
 * Request fields that refer to something at the vendor that may offer tools: a stored prompt (OpenAI) and a cached context
 * (Gemini). Which tools these are is unknown here.
 */
const fieldsWithUnknownTools = ['prompt', 'cachedContent', 'cached_content'];

/** Gemini's computer use: the caller runs its calls, whose names are not in the request. */
const toolsWithUnknownNames = ['computerUse', 'computer_use'];

/** A model may make up a name of any length. */
const maxQuotedCharacters = 64;

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}

/** Whether a tool, in the format of any vendor, offers `name`. */
function offers(tool: Json | undefined, name: string): boolean {
  if (!isObject(tool)) return false;
  if (toolsWithUnknownNames.some((key) => key in tool)) return true;
  // OpenAI's two kinds of tools, and lists of tools: Gemini's, and OpenAI's namespaces.
  const lists = [tool.functionDeclarations, tool.function_declarations, tool.tools];
  return (
    tool.name === name ||
    offers(tool.function, name) ||
    offers(tool.custom, name) ||
    lists.some((list) => listOf(list).some((each) => offers(each, name)))
  );
}

/** Whether the caller's `providerOptions` offer the tool. */
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

/** The one tool that may be called; `undefined` when the target cannot force one, which a warning says. */
function forcedTool(
  { warnings }: AnsweredRequest,
  choice: ToolChoice | undefined,
): string | undefined {
  if (typeof choice !== 'object') return undefined;
  return warnings.some(({ param }) => param === 'toolChoice') ? undefined : choice.name;
}

/**
 * Why an answer must not call a tool: it was not offered, or `toolChoice` excludes it. `undefined` when it may be called.
 * Names are compared exactly.
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

/** Checks one attempt's answer: its tool calls, then what the call expects of it. */
export class AnswerCheck {
  /** The tool call that a stream was ended for. The reader has not seen it. */
  invalidCall: InvalidCall | undefined;
  readonly #plan: AttemptPlan;
  readonly #warnings: readonly Warning[];

  constructor(plan: AttemptPlan, warnings: readonly Warning[]) {
    this.#plan = plan;
    this.#warnings = warnings;
  }

  /**
   * Ends a stream at an invalid tool call as soon as its name is known, so that its reader never sees it. A whole answer
   * is checked at its end, when all of its usage has been reported.
   *
   * @throws SignalboxError `invalid_output`
   */
  readonly see = (part: ProviderPart): void => {
    const called = calledIn(part);
    if (called === undefined || this.#plan.call.mode !== 'stream') return;
    const problem = this.#problemOf(called.name);
    if (problem === undefined) return;
    this.invalidCall = { id: called.id, name: called.name };
    throw problem;
  };

  /** Returns the whole answer when it passes all checks. @throws SignalboxError when it does not */
  check(completion: WholeCompletion): WholeCompletion | Promise<WholeCompletion> {
    for (const { name } of completion.toolCalls) {
      const problem = this.#problemOf(name);
      if (problem !== undefined) throw problem;
    }
    const { task, layers } = this.#plan.call;
    return layers === undefined ? task.check(completion) : layers.check(completion);
  }

  /** The usage of a stream that was ended here: its vendor bills it, but had no time to report the usage. */
  estimate(messages: readonly NormalMessage[], collected: Collected): Usage | undefined {
    if (this.invalidCall === undefined) return undefined;
    return estimateUsage(messages, collected.partial(this.#plan.target.id).content);
  }

  #problemOf(name: string): SignalboxError | undefined {
    const { call, target, options } = this.#plan;
    return call.task.callProblem?.(name, { target, options, warnings: this.#warnings });
  }
}

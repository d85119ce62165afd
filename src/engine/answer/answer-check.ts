import type { ResolvedValidators } from '../../config/validators.ts';
import { SignalboxError } from '../../errors.ts';
import { rootKeywordsOf } from '../../internal/schema-root.ts';
import type { CallOptions, Validation } from '../../protocol/call-options.ts';
import type { Completion, FinishReason, Warning } from '../../protocol/completion.ts';
import type { Json, JsonSchema } from '../../protocol/json.ts';
import type { ToolCallPart } from '../../protocol/message.ts';
import type { ToolChoice } from '../../protocol/request.ts';
import type { StandardSchema } from '../../protocol/standard-schema.ts';
import type { ProviderPart } from '../../protocol/stream-part.ts';
import type { AttemptPlan } from '../core/attempt-plan.ts';
import { checkAgainst, isStandardSchema, toJsonSchema, validatorOf } from '../core/json-schema.ts';
import type { AnsweredRequest, WholeCompletion } from '../core/task.ts';
import { textProblem } from './text-validators.ts';

/** What the caller expects of an answer; made once for all attempts of a call. */
export type OutputCheck = {
  readonly schema?: { readonly plain: JsonSchema; readonly validator: StandardSchema };
  /** The tools' inputs that are checked: {@link isChecked}. */
  readonly toolInputs: ReadonlyMap<string, StandardSchema | JsonSchema>;
  readonly hasTools: boolean;
  readonly fallbackOn: readonly string[];
  /** Of the tier. */
  readonly validators: ResolvedValidators | undefined;
  readonly validate: CallOptions['validate'];
};

type ToolInputs = OutputCheck['toolInputs'];

const none: ToolInputs = new Map();

/**
 * Plain JSON Schema documents a tool for the model, and its inputs are the caller's to check, as everywhere. But a root
 * that is no plain object reaches vendors in a form that accepts more, or in words: what the caller wrote is checked here.
 */
function isChecked(schema: StandardSchema | JsonSchema): boolean {
  return isStandardSchema(schema) || rootKeywordsOf(schema).length > 0;
}

function toolInputsOf(tools: NonNullable<CallOptions['tools']>): ToolInputs {
  const toolInputs = new Map<string, StandardSchema | JsonSchema>();
  for (const { name, inputSchema } of tools) {
    if (isChecked(inputSchema)) toolInputs.set(name, inputSchema);
  }
  return toolInputs;
}

/** `undefined` for plain JSON Schema that cannot be checked here, because of `not` for example: tools may have it. */
function inputValidatorOf(schema: StandardSchema | JsonSchema): StandardSchema | undefined {
  try {
    return validatorOf(schema, 'inputSchema');
  } catch {
    return undefined;
  }
}

export function outputCheck(
  options: CallOptions,
  fallbackOn: readonly string[],
  validators?: ResolvedValidators,
): OutputCheck {
  const { schema, tools, validate } = options;
  return {
    ...(schema !== undefined && {
      schema: {
        plain: toJsonSchema(schema, 'schema'),
        validator: validatorOf(schema, 'schema'),
      },
    }),
    toolInputs: tools === undefined ? none : toolInputsOf(tools),
    hasTools: tools !== undefined,
    fallbackOn,
    validators,
    validate,
  };
}

/** Why an answer is unusable, in words for the model. They may quote the answer, so they are not in a message. */
class OutputProblem extends Error {
  override readonly name = 'OutputProblem';
}

/** An `invalid_output`: `what` for people, `reason` for the model. */
export function invalidOutput(what: string, reason: string): SignalboxError {
  return unusable(what, new OutputProblem(reason));
}

function unusable(what: string, cause: unknown): SignalboxError {
  return new SignalboxError('invalid_output', `unusable output: ${what}`, { cause });
}

/** The turn that asks the model to repair its answer. What the user's code threw is not shown to it. */
export function repairHint(error: SignalboxError): string {
  const reason =
    error.cause instanceof OutputProblem ? error.cause.message : 'it did not pass the check';
  return `Your last answer could not be used: ${reason}. Fix this and answer again.`;
}

/** Vendors' codes for a malformed answer. Others could be any text, and are not put into a message. */
const knownFailures: ReadonlySet<string> = new Set([
  'MALFORMED_FUNCTION_CALL',
  'UNEXPECTED_TOOL_CALL',
  'TOO_MANY_TOOL_CALLS',
  'MALFORMED_RESPONSE',
  'NO_IMAGE',
]);

/** Finish reasons of a complete answer; the others explain why there may be none. */
const answeringReasons: readonly FinishReason[] = ['stop', 'tool_calls', 'other'];

/** Longer texts are not repaired: the repair is not linear, and 100,000 characters can block the event loop for seconds. */
const maxRepairedLength = 16_000;

/** The text between the first `open` and the last `close`. */
function between(text: string, open: RegExp, close: string): string {
  const found = open.exec(text);
  if (found === null) return text;
  const end = text.lastIndexOf(close);
  const start = found.index + found[0].length;
  return end >= start ? text.slice(start, end) : text.slice(start);
}

/** The text in a Markdown fence, in which models without native support wrap JSON, often with prose around it. */
function unfenced(text: string): string {
  return between(text, /```(?:json)?\s/i, '```').trim();
}

/** The text from the first brace or bracket to the last. */
function bracketed(text: string): string {
  const start = text.search(/[[{]/);
  const end = Math.max(text.lastIndexOf('}'), text.lastIndexOf(']'));
  return start < 0 || end < start ? text : text.slice(start, end + 1);
}

function valueIn(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

/** The value of JSON with small errors, such as a missing bracket. Costs less than asking the model again. */
async function repairedValue(text: string): Promise<{ readonly value: unknown } | undefined> {
  const start = text.search(/[[{]/);
  if (start < 0 || text.length > maxRepairedLength) return undefined;
  const { jsonrepair } = await import('jsonrepair');
  try {
    return valueIn(jsonrepair(text.slice(start)));
  } catch {
    return undefined;
  }
}

const repairedWarning: Warning = {
  code: 'compat',
  message: 'the JSON of the answer was broken and was repaired; it fits the schema',
};

/** Sets the object that a schema asks for, as the schema returns it. */
async function withObject(schema: StandardSchema, completion: Completion): Promise<Completion> {
  const { text, warnings } = completion;
  const inner = unfenced(text);
  const parsed = valueIn(text) ?? valueIn(inner) ?? valueIn(bracketed(inner));
  const found = parsed ?? (await repairedValue(inner));
  const result =
    found &&
    (await checkAgainst(schema, found.value).catch((thrown: unknown) => {
      throw unusable('the schema threw; see cause', thrown);
    }));
  if (result?.ok) {
    const object = result.value;
    if (parsed !== undefined) return { ...completion, object };
    return { ...completion, object, warnings: [...warnings, repairedWarning] };
  }
  if (parsed === undefined || result === undefined) {
    throw invalidOutput('not JSON, although a schema was set', 'it is not valid JSON');
  }
  throw invalidOutput('it does not fit the schema; see cause', result.issues);
}

async function checkToolCalls(
  check: OutputCheck,
  calls: readonly ToolCallPart[],
): Promise<readonly ToolCallPart[]> {
  const checked: ToolCallPart[] = [];
  for (const call of calls) {
    const schema = check.toolInputs.get(call.name);
    const validator = schema && inputValidatorOf(schema);
    if (schema === undefined || validator === undefined) {
      checked.push(call);
      continue;
    }
    const where = `the input of tool "${call.name}"`;
    const result = await checkAgainst(validator, call.input).catch((thrown: unknown) => {
      throw unusable(`the schema threw at ${where}; see cause`, thrown);
    });
    if (!result.ok) {
      throw invalidOutput(
        `${where} does not fit its schema; see cause`,
        `${where} does not fit: ${result.issues}`,
      );
    }
    // Plain JSON Schema converts nothing.
    const input = isStandardSchema(schema) ? result.value : call.input;
    checked.push({ ...call, input: input as ToolCallPart['input'] });
  }
  return checked;
}

/** Whether the answer is empty: reasoning is no answer, but a step of a vendor-run tool is. */
function isEmpty({ content }: Completion): boolean {
  return content.every(
    (part) =>
      (part.type === 'reasoning' && part.opaque?.kind !== 'item') ||
      (part.type === 'text' && part.text.trim() === ''),
  );
}

/** A filtered or refused answer is returned as it is, unless the tier falls back on that or a schema was set. */
function checkFinish(check: OutputCheck, completion: Completion): void {
  const { finishReason } = completion;
  if (finishReason === 'content_filter' || finishReason === 'refusal') {
    if (check.schema === undefined && !check.fallbackOn.includes(finishReason)) return;
    const what =
      finishReason === 'refusal' ? 'refused by the model' : 'blocked by the content filter';
    throw new SignalboxError(finishReason, what);
  }
  if (finishReason === 'context_length' && check.fallbackOn.includes(finishReason)) {
    throw new SignalboxError('context_length', 'the answer ran into the end of the context window');
  }
  if (finishReason === 'error') {
    const { rawFinishReason = '' } = completion;
    const word = knownFailures.has(rawFinishReason) ? rawFinishReason : 'an error';
    throw invalidOutput(`it ended with ${word}`, 'it was malformed, a tool call most likely');
  }
  if (isEmpty(completion) && answeringReasons.includes(finishReason))
    throw invalidOutput('empty', 'it was empty');
  if (check.schema !== undefined && finishReason === 'length') {
    throw invalidOutput(
      'cut at maxOutputTokens, so its JSON is not whole',
      'it was cut off; be brief',
    );
  }
}

async function verdictOf(check: OutputCheck, completion: Completion): Promise<Validation> {
  try {
    return await check.validate?.(completion);
  } catch (thrown) {
    throw unusable('validate threw; see cause', thrown);
  }
}

/**
 * Checks a whole answer: its finish reason, the tools' schemas, the schema, the tier's validators and `validate`, in this
 * order. Returns it with `object` and checked tool inputs.
 *
 * @throws SignalboxError `invalid_output`, `content_filter`, `refusal` or `context_length`
 */
export function checkOutput(
  check: OutputCheck,
  completion: Completion,
): Completion | Promise<Completion> {
  checkFinish(check, completion);
  const { hasTools, schema, validators, validate } = check;
  const isAllowed =
    !hasTools && schema === undefined && validators === undefined && validate === undefined;
  return isAllowed ? completion : checkContent(check, completion);
}

async function checkContent(check: OutputCheck, completion: Completion): Promise<Completion> {
  let checked = completion;
  if (check.hasTools && completion.toolCalls.length > 0) {
    checked = { ...checked, toolCalls: await checkToolCalls(check, completion.toolCalls) };
  }
  // The vendor paused its own tools: the object comes when the turn is sent back.
  if (completion.finishReason === 'pause') return checked;
  // A turn that calls tools has no object: that comes with the final turn. Without `tools` the type promises an object,
  // though tools may have been offered in `providerOptions`.
  const hasObject = !check.hasTools || completion.toolCalls.length === 0;
  if (check.schema !== undefined && hasObject) {
    checked = await withObject(check.schema.validator, checked);
  }
  // The text of a turn that calls tools is no answer yet.
  if (check.validators !== undefined && completion.toolCalls.length === 0) {
    const problem = await textProblem(check.validators, completion.text);
    if (problem !== undefined) throw invalidOutput(problem.what, problem.reason);
  }
  const verdict = await verdictOf(check, checked);
  if (verdict === false || typeof verdict === 'string') {
    const reason = verdict || 'it did not pass the check';
    throw invalidOutput('validate did not pass it', reason);
  }
  return checked;
}

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

  #problemOf(name: string): SignalboxError | undefined {
    const { call, target, options } = this.#plan;
    return call.task.callProblem?.(name, { target, options, warnings: this.#warnings });
  }
}

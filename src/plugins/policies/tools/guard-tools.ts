import * as z from 'zod';
import type { Tags } from '../../../protocol/completion.ts';
import type { JsonSchema } from '../../../protocol/json.ts';
import type { ToolCallPart } from '../../../protocol/message.ts';
import type { Plugin, PluginCall } from '../../../protocol/plugin.ts';
import type { NormalTool } from '../../../protocol/request.ts';
import type { StandardSchema } from '../../../protocol/standard-schema.ts';
import { plainValidator } from '../../../validation/json-schema.ts';
import {
  checkOptions,
  type PolicyOptions,
  pluginFields,
  policyOptions,
} from '../policy-options.ts';

/** Names of tools, in which `*` stands for any characters; or names for the calls of some tiers or with some tags. */
export type ToolRule =
  | string
  | {
      readonly tools: string | readonly string[];
      /** The call is made to one of these. @default any tier */
      readonly tiers?: readonly string[] | undefined;
      /** The call has all of these tags. @default any tags */
      readonly tags?: Tags | undefined;
    };

export type GuardToolsOptions = PolicyOptions & {
  /**
   * The tools that may be called. A destructive tool must be named in full: `*` does not stand for it.
   * @default every tool that is not destructive
   */
  readonly allow?: readonly ToolRule[] | undefined;
  /** Tools that must not be called, whatever `allow` has. @default none */
  readonly deny?: readonly ToolRule[] | undefined;
  /** More destructive tools, besides those that set `destructive` themselves. `*` stands for any characters. @default none */
  readonly destructive?: readonly string[] | undefined;
  /** Allowed calls of each tool, or of the named ones, in 60 seconds. Counts all calls of the router. @default no limit */
  readonly perMinute?: number | { readonly [tool: string]: number } | undefined;
};

const windowMs = 60_000;

const optionsSchema = () => {
  const names = z.array(z.string().min(1));
  const rule = z.union([
    z.string().min(1),
    z.strictObject({
      tools: z.union([z.string().min(1), names]),
      tiers: z.array(z.string()).optional(),
      tags: z.record(z.string(), z.string()).optional(),
    }),
  ]);
  const count = z.number().int().nonnegative();
  return z.strictObject({
    ...policyOptions,
    allow: z.array(rule).optional(),
    deny: z.array(rule).optional(),
    destructive: names.optional(),
    perMinute: z.union([count, z.record(z.string(), count)]).optional(),
  });
};

/** Whether the name is the pattern, in which `*` stands for any characters. */
function isNamed(pattern: string, name: string): boolean {
  if (!pattern.includes('*')) return pattern === name;
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop() ?? '';
  if (!name.startsWith(first)) return false;
  let from = first.length;
  for (const piece of rest) {
    const at = name.indexOf(piece, from);
    if (at < 0) return false;
    from = at + piece.length;
  }
  return name.length - last.length >= from && name.endsWith(last);
}

/** Which of the tools' patterns in the rule apply to this call. */
function patternsOf(rule: ToolRule, { tier, tags }: PluginCall): readonly string[] {
  if (typeof rule === 'string') return [rule];
  if (rule.tiers !== undefined && !rule.tiers.includes(tier)) return [];
  const isTagged = Object.entries(rule.tags ?? {}).every(([name, value]) => tags[name] === value);
  return isTagged ? [rule.tools].flat() : [];
}

function toolOf({ request }: PluginCall, name: string): NormalTool | undefined {
  if (request.kind !== 'chat') return undefined;
  return request.tools?.find((tool) => tool.name === name);
}

/** Counts the calls of each tool over the last minute. */
class Rates {
  readonly #perMinute: GuardToolsOptions['perMinute'];
  readonly #times = new Map<string, readonly number[]>();

  constructor(perMinute: GuardToolsOptions['perMinute']) {
    this.#perMinute = perMinute;
  }

  /** Counts a call unless it is one too many. */
  take(name: string, now: number): boolean {
    const limit = this.#limitOf(name);
    if (limit === undefined) return true;
    const recent = (this.#times.get(name) ?? []).filter((at) => at > now - windowMs);
    const isFree = recent.length < limit;
    this.#times.set(name, isFree ? [...recent, now] : recent);
    return isFree;
  }

  #limitOf(name: string): number | undefined {
    if (typeof this.#perMinute !== 'object') return this.#perMinute;
    return Object.hasOwn(this.#perMinute, name) ? this.#perMinute[name] : undefined;
  }
}

/** Validators by schema: a tool's schema is the same object in many calls. */
const validators = new WeakMap<JsonSchema, StandardSchema | 'not understood'>();

function validatorOf(schema: JsonSchema): StandardSchema | 'not understood' {
  const known = validators.get(schema);
  if (known !== undefined) return known;
  let made: StandardSchema | 'not understood';
  try {
    made = plainValidator(schema);
  } catch {
    made = 'not understood';
  }
  validators.set(schema, made);
  return made;
}

async function fits(toolCall: ToolCallPart, call: PluginCall): Promise<boolean> {
  if (toolCall.invalid === true) return false;
  const tool = toolOf(call, toolCall.name);
  if (tool === undefined) return true;
  const validator = validatorOf(tool.inputSchema);
  if (validator === 'not understood') {
    call.verdict({ kind: 'flag', rule: 'schema-not-checked' });
    return true;
  }
  const { issues } = await validator['~standard'].validate(toolCall.input);
  return issues === undefined;
}

/**
 * Decides which tool calls of a model reach your application. A denied call is not in `toolCalls`; its part in `content`
 * has `denied: { plugin: 'tools', rule }`. The rules are `denied`, `not-allowed`, `destructive`, `arguments` (they do not
 * fit the tool's schema) and `rate-limit`. Of these, only `destructive` can be overruled: by the `approve` of `runTools`,
 * for one call.
 *
 * @throws SignalboxError `config` for bad options
 */
export function guardTools(options: GuardToolsOptions = {}): Plugin {
  checkOptions(optionsSchema(), options, 'guardTools');
  const { allow, deny = [], destructive = [], perMinute } = options;
  const rates = new Rates(perMinute);

  /** The rule by which the tool must not be called, whatever its arguments. */
  function problemOf(name: string, call: PluginCall): string | undefined {
    const isInRule = (pattern: string) => isNamed(pattern, name);
    if (deny.some((rule) => patternsOf(rule, call).some(isInRule))) return 'denied';
    const allowed = allow?.flatMap((rule) => patternsOf(rule, call));
    if (allowed?.some(isInRule) === false) return 'not-allowed';
    const isDestructive =
      toolOf(call, name)?.destructive === true || destructive.some((each) => isNamed(each, name));
    return isDestructive && allowed?.includes(name) !== true ? 'destructive' : undefined;
  }

  return {
    ...pluginFields(options, 'tools'),
    async onToolCall(toolCall, call) {
      const { name } = toolCall;
      const problem = problemOf(name, call);
      const isDestructive = problem === 'destructive';
      if (problem !== undefined && !isDestructive) return { deny: problem };
      const isFit = await fits(toolCall, call);
      if (!isFit) return { deny: problem ?? 'arguments' };
      // One that waits for approval counts, because it is not seen here again when it is approved.
      if (!rates.take(name, call.runtime.now())) return { deny: 'rate-limit' };
      return isDestructive ? { deny: 'destructive', unlessApproved: true } : 'allow';
    },
  };
}

import type { ResolvedConfig, ResolvedTier } from '../../config/resolve.ts';
import { once } from '../../internal/once.ts';
import type { Tags } from '../../protocol/completion.ts';
import type { Runtime } from '../../protocol/runtime.ts';
import { userTextOf } from '../../routing/rules.ts';
import { requestTokens } from '../core/expected-cost.ts';
import type { Task } from '../core/task.ts';

/** The call that the rules are asked about. */
type RuledCall = {
  readonly called: ResolvedTier;
  readonly tags: Tags;
  readonly task: Task;
  readonly system: string | undefined;
};

/** The tier that a call is made with, and the rule that sent it there. */
export type Routed = { readonly tier: ResolvedTier; readonly rule?: string };

/** Where the first rule that matches sends the call; its own tier when none does. */
export function routeByRule(
  { rules, tiers }: ResolvedConfig,
  { called, tags, task, system }: RuledCall,
  runtime: Runtime,
): Routed {
  const counted = once(() => ({ tokens: requestTokens(task, system) }));
  const read = once(() => ({ text: userTextOf(task.messages) }));
  const facts = {
    tier: called.name,
    tags,
    capabilities: task.needs.capabilities,
    inputTokens: () => counted().tokens,
    userText: () => read().text,
    now: runtime.now(),
  };
  const rule = rules.find(({ matches }) => matches(facts));
  if (rule === undefined) return { tier: called };
  const { name, tier: other } = rule;
  const tier = other === undefined ? called.byRule?.get(name) : tiers.get(other);
  if (tier === undefined) throw new Error(`rule "${name}" sends calls nowhere`);
  return { tier, rule: name };
}

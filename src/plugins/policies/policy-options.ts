import * as z from 'zod';
import { SignalboxError } from '../../errors.ts';
import type { Plugin } from '../../protocol/plugin.ts';

/** Options that every policy has. */
export type PolicyOptions = Pick<Plugin, 'exceptTiers' | 'failOpen'> & {
  /** The plugin's name: unique in a router, and the `policy` of errors and verdicts. */
  readonly name?: string | undefined;
};

export const policyOptions = {
  name: z.string().min(1).optional(),
  exceptTiers: z.array(z.string()).optional(),
  failOpen: z.boolean().optional(),
};

/** @throws SignalboxError `config` with all problems of the options */
export function checkOptions(schema: z.ZodType, options: unknown, policy: string): void {
  const { error } = schema.safeParse(options);
  if (error === undefined) return;
  const problems = error.issues.map(
    ({ path, message }) => `\n- ${[policy, ...path.map(String)].join('.')}: ${message}`,
  );
  throw new SignalboxError('config', `invalid options of ${policy}:${problems.join('')}`);
}

/** The fields of a plugin that its options set. */
export function pluginFields({ name, exceptTiers, failOpen }: PolicyOptions, ownName: string) {
  return {
    name: name ?? ownName,
    ...(exceptTiers !== undefined && { exceptTiers }),
    ...(failOpen !== undefined && { failOpen }),
  };
}

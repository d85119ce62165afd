import * as z from 'zod';
import { once } from '../internal/once.ts';
import { callUsd } from './budget-schema.ts';
import {
  cacheHint,
  callDefaults,
  positive,
  requires,
  retry,
  route,
  tags,
  timeouts,
} from './schema.ts';

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;
const isFunction = (value: unknown): boolean => typeof value === 'function';

const cacheResponse = once(() =>
  z.union([z.boolean(), z.strictObject({ ttlMs: z.number().positive() })]),
);

/** The options of every kind of call. */
const sharedOptions = once(() => ({
  tags: tags.optional(),
  signal: z.custom((value) => value instanceof AbortSignal, 'must be an AbortSignal').optional(),
  timeouts: timeouts.optional(),
  retry: retry.optional(),
  route: route.optional(),
  requires: requires.optional(),
  maxUsd: callUsd.optional(),
}));

/**
 * The options of a chat call. Built on first use, because building the schema takes longer than most of the imports.
 */
export const callOptionsSchema = once(() => {
  const schema = z.custom(
    (value) => isObject(value) || isFunction(value),
    "must be a Standard Schema (such as zod's) or a JSON Schema object",
  );
  return z.strictObject({
    ...callDefaults,
    ...sharedOptions(),
    tools: z
      .array(
        z.strictObject({
          name: z
            .string()
            .regex(/^[a-zA-Z_][a-zA-Z0-9_-]{0,63}$/, 'must be 1 to 64 letters, digits, "_" or "-"'),
          description: z.string().optional(),
          inputSchema: schema,
          strict: z.boolean().optional(),
          destructive: z.boolean().optional(),
          cache: cacheHint.optional(),
        }),
      )
      .optional(),
    schema: schema.optional(),
    validate: z.custom(isFunction, 'must be a function').optional(),
    singleFlight: z.boolean().optional(),
    cacheResponse: cacheResponse().optional(),
    raw: z.boolean().optional(),
  });
});

/** The options that `embed` and `image` share. */
const otherOptions = once(() => ({
  ...sharedOptions(),
  providerOptions: callDefaults.providerOptions,
  userId: callDefaults.userId,
  onUnsupported: callDefaults.onUnsupported,
  priority: callDefaults.priority,
}));

export const embedOptionsSchema = once(() =>
  z.strictObject({
    ...otherOptions(),
    cacheResponse: cacheResponse().optional(),
    dimensions: positive.optional(),
    concurrency: positive.optional(),
  }),
);

export const imageOptionsSchema = once(() =>
  z.strictObject({
    ...otherOptions(),
    count: positive.optional(),
    size: z
      .string()
      .regex(/^\d+x\d+$/, 'must be "<width>x<height>" in pixels')
      .optional(),
  }),
);

export const closeOptionsSchema = once(() =>
  z.strictObject({ drainMs: z.number().nonnegative().optional() }),
);

export const demoteOptionsSchema = once(() =>
  z.strictObject({ weight: z.number().nonnegative().optional() }),
);

export const feedbackSchema = once(() =>
  z.strictObject({ score: z.number().min(0).max(1), reason: z.string().optional() }),
);

export const followOptionsSchema = once(() =>
  z.strictObject({
    allowRemoval: z.boolean().optional(),
    allowLoosening: z.boolean().optional(),
    only: z.literal('prices').optional(),
  }),
);

import { LRUCache } from 'lru-cache';
import * as z from 'zod';
import { SignalboxError } from '../../errors.ts';
import type { EmbedOptions } from '../../protocol/other-tasks.ts';
import type { Plugin, PluginCall } from '../../protocol/plugin.ts';
import { issueMessage } from '../../validation/wording.ts';
import { createContentKey } from './content-key.ts';
import { isKeepable, replay, toBytes, toHit } from './kept-answer.ts';

/** Settings of {@link responseCache}. */
export type ResponseCacheOptions = {
  /** Maximum number of answers. The least recently used are dropped first. @default 10_000 */
  readonly maxEntries?: number | undefined;
  /** Maximum size of all entries together, in bytes. @default 67_108_864 (64 MiB) */
  readonly maxBytes?: number | undefined;
  /** Maximum age of an answer, in milliseconds. @default 3_600_000 (an hour) */
  readonly ttlMs?: number | undefined;
  /** Names of tags that keep entries apart, such as that of the tenant. Other tags do not. @default none */
  readonly namespace?: readonly string[] | undefined;
  /** The name of the plugin. @default 'cache' */
  readonly name?: string | undefined;
  /** Tiers whose calls skip the cache. */
  readonly exceptTiers?: readonly string[] | undefined;
};

type Entry = {
  readonly bytes: Uint8Array;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly ttlMs: number;
};

/** Key, map and entry, in bytes, besides the answer: 380 measured. */
const entryOverhead = 512;

const count = z.int().positive();
const names = z.array(z.string().min(1));
const optionsSchema = z.strictObject({
  maxEntries: count.optional(),
  maxBytes: count.optional(),
  ttlMs: z.number().positive().optional(),
  namespace: names.optional(),
  name: z.string().min(1).optional(),
  exceptTiers: names.optional(),
});

function checkOptions(options: ResponseCacheOptions): void {
  const { error } = optionsSchema.safeParse(options, { error: issueMessage });
  const issue = error?.issues[0];
  if (issue === undefined) return;
  const path = ['responseCache', ...issue.path].join('.');
  throw new SignalboxError('config', `${path}: ${issue.message}`);
}

/** Whether asking twice is meant to give two answers, or to act twice. */
function isVarying({ options, request, configured }: PluginCall): boolean {
  if (request.kind !== 'chat') return false;
  if (request.tools !== undefined && request.tools.length > 0) return true;
  const { temperature } = options;
  if (temperature !== undefined) return temperature > 0;
  return configured.targets.some((target) => (target.options.temperature ?? 0) > 0);
}

/** How the cache treats a call: the longest age of an answer, `undefined` if that was not set; or not at all. */
function policyOf(call: PluginCall): { readonly ttlMs: number | undefined } | undefined {
  const { cacheResponse }: Pick<EmbedOptions, 'cacheResponse'> = call.options;
  // Images differ each time, and are large. A drill is about the vendors.
  if (cacheResponse === false || call.kind === 'image' || call.drill !== undefined)
    return undefined;
  if (cacheResponse === undefined) return isVarying(call) ? undefined : { ttlMs: undefined };
  return { ttlMs: cacheResponse === true ? undefined : cacheResponse.ttlMs };
}

/**
 * Answers a repeated call from memory: the same request, options and configuration. Identical concurrent calls share one
 * request. Only whole, valid answers are kept, within bounds of age, number and bytes. A plugin for `createRouter`; place
 * it after plugins that redact.
 * @throws SignalboxError `config` for bad options
 */
export function responseCache(options: ResponseCacheOptions = {}): Plugin {
  checkOptions(options);
  const {
    maxEntries = 10_000,
    maxBytes = 67_108_864,
    ttlMs: usualTtlMs = 3_600_000,
    namespace = [],
    name = 'cache',
    exceptTiers,
  } = options;
  const keyOf = createContentKey(namespace);
  const entries = new LRUCache<string, Entry>({
    max: maxEntries,
    maxSize: maxBytes,
    sizeCalculation: ({ bytes }) => bytes.byteLength + entryOverhead,
  });
  const freshEntry = (key: string, now: number, ttlMs = Number.POSITIVE_INFINITY) => {
    const entry = entries.get(key);
    return entry !== undefined && now - entry.at < Math.min(entry.ttlMs, ttlMs) ? entry : undefined;
  };
  return {
    name,
    exceptTiers,
    async *wrapCall(call, next) {
      const policy = policyOf(call);
      if (policy === undefined) {
        yield* next();
        return;
      }
      const key = keyOf(call);
      const { runtime } = call;
      const startedAt = runtime.now();
      const entry = freshEntry(key, startedAt, policy.ttlMs);
      if (entry !== undefined) {
        yield replay(call, toHit(entry.bytes, call, startedAt));
        return;
      }
      let isContinued = false;
      for await (const batch of next({ share: `${call.mode} ${key}` })) {
        isContinued ||= batch.some(({ type }) => type === 'continue');
        const last = batch.at(-1);
        if (last?.type !== 'finish') {
          yield batch;
          continue;
        }
        const { completion } = last;
        const bytes = toBytes(completion);
        if (bytes !== undefined && !isContinued && isKeepable(call, completion)) {
          const ttlMs = policy.ttlMs ?? usualTtlMs;
          const at = runtime.now();
          if (freshEntry(key, at, policy.ttlMs) === undefined)
            entries.set(key, { bytes, at, ttlMs });
        }
        if (completion.shared !== true || bytes === undefined) yield batch;
        else {
          const hit = toHit(bytes, call, startedAt);
          yield [...batch.slice(0, -1), { type: 'finish', completion: hit }];
        }
      }
    },
    close() {
      entries.clear();
    },
  };
}

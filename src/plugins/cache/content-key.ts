import { createHmac, randomBytes } from 'node:crypto';
import type { EmbedOptions } from '../../protocol/other-tasks.ts';
import type { PluginCall } from '../../protocol/plugin.ts';

/** Identities of what cannot be compared by value: functions and schemas of libraries. */
function createIdentities(): (value: object) => string {
  const known = new WeakMap<object, string>();
  let count = 0;
  return (value) => {
    const identity = known.get(value) ?? `#${++count}`;
    known.set(value, identity);
    return identity;
  };
}

/**
 * A text that is the same for equal values, whatever the order of their keys. It is not JSON: no string looks like bytes.
 * `name` is the key under which the value was found.
 */
function canonical(value: unknown, identityOf: (value: object) => string, name = ''): string {
  if (typeof value === 'function') return identityOf(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'u';
  if (value instanceof Uint8Array) return `b"${Buffer.from(value).toString('base64')}"`;
  if (value instanceof URL || value instanceof Date) return `s${JSON.stringify(value)}`;
  if ('~standard' in value) return identityOf(value);
  if (Array.isArray(value)) {
    return `[${value.map((each) => canonical(each, identityOf)).join()}]`;
  }
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  // Models answer in the order of a schema's properties, so that order is kept.
  if (name !== 'properties') entries.sort(([a], [b]) => (a < b ? -1 : 1));
  const texts = entries.map(
    ([key, each]) => `${JSON.stringify(key)}:${canonical(each, identityOf, key)}`,
  );
  return `{${texts.join()}}`;
}

/**
 * Makes the keys of answers: a keyed hash of everything that can change an answer. An option that is not named here is
 * part of it. The request is that of the layer, so what outer plugins redacted is not. The hash's own key is random, so
 * that a memory dump does not confirm a guessed prompt.
 */
export function createContentKey(namespace: readonly string[]): (call: PluginCall) => string {
  const secret = randomBytes(32);
  const identityOf = createIdentities();
  return ({ kind, tier, request, configured, tags, options }) => {
    const {
      // In the request, as the layers outside made them.
      system: _system,
      tools = [],
      // Who asks, how long it may take, and what happens to failures.
      tags: _tags,
      userId: _userId,
      signal: _signal,
      timeouts: _timeouts,
      retry: _retry,
      priority: _priority,
      // What is shared and cached, here and at the vendor.
      singleFlight: _singleFlight,
      cacheResponse: _cacheResponse,
      cache: _cache,
      concurrency: _concurrency,
      ...answering
    }: PluginCall['options'] & Pick<EmbedOptions, 'concurrency'> = options;
    const schemas = tools
      .map(({ inputSchema }) => inputSchema)
      .filter((schema) => '~standard' in schema);
    const tenant = namespace.map((name) => (Object.hasOwn(tags, name) ? tags[name] : null));
    const all = [kind, tier, configured.key, tenant, request, answering, schemas];
    // The router has checked that nothing is nested too deeply, or is a cycle.
    return createHmac('sha256', secret).update(canonical(all, identityOf)).digest('base64url');
  };
}

/**
 * The format has no field for replay data of a call. It is sent as a `redacted_thinking` block next to the call, which
 * clients send back unchanged, and names the call.
 */
const prefix = 'call:';

/** `opaque` must not contain a colon. */
export function callReplay(id: string, opaque: string): string {
  return `${prefix}${opaque}:${id}`;
}

/** What `callReplay` returned. `undefined` for any other data. */
export function readCallReplay(
  data: string,
): { readonly id: string; readonly opaque: string } | undefined {
  if (!data.startsWith(prefix)) return undefined;
  const end = data.indexOf(':', prefix.length);
  if (end < 0) return undefined;
  return { id: data.slice(end + 1), opaque: data.slice(prefix.length, end) };
}

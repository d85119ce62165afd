/**
 * The API has no field for what the client sends back with a function call. It is the encrypted content of a reasoning
 * item without a summary, which names the call.
 */
const separator = '~';

export function callData(opaque: string, callId: string): string {
  return `${opaque}${separator}${callId}`;
}

/** `callId` is undefined if the data is of the reasoning itself. */
export function readCallData(data: string): {
  readonly opaque: string;
  readonly callId: string | undefined;
} {
  const end = data.indexOf(separator);
  if (end < 0) return { opaque: data, callId: undefined };
  return { opaque: data.slice(0, end), callId: data.slice(end + separator.length) };
}

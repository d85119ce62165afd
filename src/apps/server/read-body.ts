import { shallowJson } from '../../internal/vendor-data.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { systemRuntime } from '../../runtime.ts';
import { parseClientJson } from '../../wires/common/client-json.ts';
import { isObject } from '../../wires/common/read.ts';
import type { Exchange } from './exchange.ts';
import { HttpProblem } from './problems.ts';

export type BodyLimits = {
  readonly maxBodyBytes: number;
  readonly bodyTimeoutMs: number;
};

function tooLarge({ maxBodyBytes }: BodyLimits): HttpProblem {
  const message = `The request body is larger than ${maxBodyBytes} bytes.`;
  // The rest of the body is not read, so the connection cannot be used again.
  return new HttpProblem(413, 'invalid_request', message, { headers: { connection: 'close' } });
}

function unreadable(status: number, message: string): HttpProblem {
  return new HttpProblem(status, 'invalid_request', message);
}

function tooDeep(): HttpProblem {
  return unreadable(400, 'The request body is nested too deep.');
}

/** Fails for bodies that are not JSON in UTF-8. A form of another site cannot send this type without being asked for. */
function checkHeaders({ header }: Exchange, limits: BodyLimits): void {
  const encoding = header('content-encoding')?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== '') {
    throw unreadable(415, 'The request body must not be compressed.');
  }
  const [type = '', ...parameters] = (header('content-type') ?? '').toLowerCase().split(';');
  if (!/^application\/(?:[\w.+-]+\+)?json$/.test(type.trim())) {
    throw unreadable(415, 'The content type must be application/json.');
  }
  const charset = parameters.find((each) => each.trim().startsWith('charset='));
  const isUtf8 = charset === undefined || /^\s*charset="?utf-?8"?\s*$/.test(charset);
  if (!isUtf8) throw unreadable(415, 'The charset must be UTF-8.');
  if (Number(header('content-length') ?? 0) > limits.maxBodyBytes) throw tooLarge(limits);
}

/** The bytes, up to the limit. */
async function bytesOf(exchange: Exchange, limits: BodyLimits): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of exchange.body()) {
    size += chunk.byteLength;
    if (size > limits.maxBodyBytes) throw tooLarge(limits);
    chunks.push(chunk);
  }
  const [only] = chunks;
  return only !== undefined && chunks.length === 1 ? only : Buffer.concat(chunks);
}

/** Reads the body in time. */
async function inTime(exchange: Exchange, limits: BodyLimits): Promise<Uint8Array> {
  const late = Promise.withResolvers<never>();
  const cancel = systemRuntime.alarm(limits.bodyTimeoutMs, () => {
    const message = 'The request body did not arrive in time.';
    const headers = { connection: 'close' };
    late.reject(new HttpProblem(408, 'invalid_request', message, { headers }));
  });
  try {
    const reading = bytesOf(exchange, limits);
    // Whichever fails second has no reader.
    reading.catch(() => undefined);
    return await Promise.race([reading, late.promise]);
  } catch (error) {
    if (error instanceof HttpProblem) throw error;
    throw unreadable(400, 'The request body was cut off.');
  } finally {
    cancel();
  }
}

function parsed(bytes: Uint8Array): unknown {
  let text: string;
  try {
    // Drops a byte order mark.
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw unreadable(400, 'The request body is not UTF-8.');
  }
  let value: unknown;
  try {
    value = parseClientJson(text);
  } catch {
    // The parser's message quotes the body.
    throw unreadable(400, 'The request body is not valid JSON.');
  }
  if (value === undefined) throw tooDeep();
  return value;
}

/**
 * The JSON object in the body of a request.
 * @throws HttpProblem
 */
export async function readBody(exchange: Exchange, limits: BodyLimits): Promise<JsonObject> {
  const { parsedBody } = exchange;
  if (parsedBody === undefined) checkHeaders(exchange, limits);
  else if (shallowJson(parsedBody) === undefined) throw tooDeep();
  const body = parsedBody ?? parsed(await inTime(exchange, limits));
  if (!isObject(body)) throw unreadable(400, 'The request body must be a JSON object.');
  return body;
}

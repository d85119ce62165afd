import { own } from '../../internal/own.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { objectOf } from '../../wires/common/read.ts';
import { RequestProblem } from '../../wires/common/serve.ts';
import type { Exchange } from './exchange.ts';

/** As OpenAI limits the values of `metadata`. */
const maxTagLength = 512;

const headerName = 'x-signalbox-tags';

function ofHeader({ header }: Exchange): JsonObject {
  const text = header(headerName);
  if (text === undefined) return {};
  try {
    return objectOf(JSON.parse(text));
  } catch {
    throw new RequestProblem(headerName, `${headerName} must be a JSON object`);
  }
}

/**
 * The tags that a client sets, in the field `metadata` or the header `x-signalbox-tags`. Names that are not allowed are
 * ignored.
 * @throws RequestProblem
 */
export function clientTags(
  exchange: Exchange,
  body: JsonObject,
  names: readonly string[],
): Readonly<Record<string, string>> {
  if (names.length === 0) return {};
  const sent = [objectOf(body.metadata), ofHeader(exchange)];
  const tags: Record<string, string> = {};
  for (const name of names) {
    for (const each of sent) {
      const value = own(each, name);
      if (value === undefined) continue;
      if (typeof value !== 'string' || value.length > maxTagLength) {
        const message = `metadata.${name} must be a string of at most ${maxTagLength} characters`;
        throw new RequestProblem(`metadata.${name}`, message);
      }
      tags[name] = value;
    }
  }
  return tags;
}

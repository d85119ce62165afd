import type { Warning } from '../../protocol/completion.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { isObject } from '../common/read.ts';
import { adjusted } from './warnings.ts';

/** The API rejects a fifth breakpoint. */
const maxBreakpoints = 4;

function withoutBreakpoint(block: JsonObject): JsonObject {
  const { cache_control, ...rest } = block;
  return rest;
}

/** Counts the breakpoints of blocks, including nested ones. */
function countBreakpoints(blocks: unknown): number {
  if (!Array.isArray(blocks)) return 0;
  let count = 0;
  for (const block of blocks) {
    if (!isObject(block)) continue;
    if ('cache_control' in block) count++;
    count += countBreakpoints(block.content);
  }
  return count;
}

/** Removes all but the last breakpoints of a body. The last ones cover the longest prefixes. */
export function limitBreakpoints(body: JsonObject, warnings: Warning[]): JsonObject {
  let left = maxBreakpoints - ('cache_control' in body ? 1 : 0);
  const count = [body.messages, body.system, body.tools].map(countBreakpoints);
  if (count.reduce((sum, each) => sum + each, 0) <= left) return body;
  let removed = 0;
  const limit = (blocks: unknown): unknown => {
    if (!Array.isArray(blocks)) return blocks;
    return blocks
      .toReversed()
      .map((block: unknown) => {
        if (!isObject(block)) return block;
        if (Array.isArray(block.content) && block.type !== 'tool_result') {
          return { ...block, content: limit(block.content) };
        }
        if (!('cache_control' in block)) return block;
        if (left-- > 0) return block;
        removed++;
        return withoutBreakpoint(block);
      })
      .reverse();
  };
  const messages = limit(body.messages);
  const system = limit(body.system);
  const tools = limit(body.tools);
  if (removed === 0) return body;
  warnings.push(
    adjusted('cache', `${removed} cache hints were dropped: the API accepts ${maxBreakpoints}`),
  );
  return {
    ...body,
    messages,
    ...(system !== undefined && { system }),
    ...(tools !== undefined && { tools }),
  };
}

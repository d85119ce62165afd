import type { AttemptErrorCode } from '../../protocol/error-code.ts';
import type { JsonObject } from '../../protocol/json.ts';
import { isObject, textOf } from './read.ts';

/**
 * Numbers with which vendors identify errors, with the vendor's name in front: the same number means something else to
 * another. The sources are https://platform.minimax.io/docs/api-reference/errorcode and
 * https://docs.z.ai/api-reference/api-code.
 */
export const codeByNumber: Readonly<Record<string, AttemptErrorCode>> = {
  'minimax-1000': 'server_error',
  'minimax-1001': 'server_error', // a timeout of its own
  'minimax-1002': 'rate_limited',
  'minimax-1004': 'auth',
  'minimax-1008': 'quota_exhausted',
  'minimax-1013': 'server_error',
  'minimax-1024': 'server_error',
  'minimax-1026': 'content_filter', // the prompt
  'minimax-1027': 'content_filter', // the answer
  'minimax-1028': 'quota_exhausted',
  'minimax-1030': 'quota_exhausted',
  'minimax-1033': 'server_error',
  'minimax-1039': 'rate_limited', // tokens per minute
  'minimax-1041': 'rate_limited', // connections
  'minimax-1042': 'invalid_request', // invisible characters
  'minimax-2013': 'invalid_request',
  'minimax-2045': 'rate_limited', // the rate grew too fast
  'minimax-2049': 'auth',
  'minimax-2056': 'quota_exhausted', // the plan's limit for a few hours
  'minimax-2061': 'permission', // the plan lacks the model
  'zai-1000': 'auth',
  'zai-1001': 'auth',
  'zai-1002': 'auth',
  'zai-1003': 'auth',
  'zai-1004': 'auth',
  'zai-1110': 'permission', // an inactive account
  'zai-1111': 'permission',
  'zai-1112': 'permission', // a locked account
  'zai-1113': 'quota_exhausted',
  'zai-1120': 'server_error',
  'zai-1121': 'permission',
  'zai-1200': 'server_error',
  'zai-1210': 'invalid_request',
  'zai-1211': 'model_not_found',
  'zai-1212': 'unsupported',
  'zai-1213': 'invalid_request',
  'zai-1214': 'invalid_request',
  'zai-1215': 'invalid_request',
  'zai-1220': 'permission',
  'zai-1221': 'model_not_found',
  'zai-1222': 'model_not_found',
  'zai-1230': 'server_error',
  'zai-1234': 'server_error',
  'zai-1261': 'context_length',
  'zai-1301': 'content_filter',
  'zai-1302': 'rate_limited', // concurrency
  'zai-1303': 'rate_limited',
  'zai-1304': 'quota_exhausted', // a day's requests
  'zai-1305': 'overloaded',
  'zai-1308': 'quota_exhausted', // the plan's limit for a few hours
  'zai-1309': 'quota_exhausted', // the plan has expired
  'zai-1310': 'quota_exhausted', // the plan's limit for a week or month
  'zai-1311': 'permission', // the plan lacks the model
  'zai-1312': 'overloaded',
  'zai-1313': 'rate_limited', // its fair use policy
};

/** MiniMax's status, which is in all of its answers, with the number 0 in those without an error. */
function failedStatusOf(whole: JsonObject): JsonObject | undefined {
  const { base_resp: status } = whole;
  if (!isObject(status)) return undefined;
  const number = Number(status.status_code ?? 0);
  return number === 0 ? undefined : status;
}

/** Whether a body or event with status 200 reports an error by number (MiniMax), or by `success` (z.ai). */
export function isNumberedError(whole: JsonObject): boolean {
  return failedStatusOf(whole) !== undefined || whole.success === false;
}

/** The error's number as a word of {@link codeByNumber}. `error` is the object in `whole` that describes the error. */
export function numberedError(
  whole: JsonObject,
  error: JsonObject,
): { readonly word: string; readonly message?: string | undefined } | undefined {
  const status = failedStatusOf(whole);
  if (status !== undefined) {
    return { word: `minimax-${Number(status.status_code)}`, message: textOf(status.status_msg) };
  }
  // Mistral has other numbers, and names its errors in `object`.
  const isZai = /^1\d{3}$/.test(String(error.code)) && error.object !== 'error';
  return isZai ? { word: `zai-${String(error.code)}` } : undefined;
}

import type { AttemptErrorCode } from '../../protocol/error-code.ts';
import type { AnswerHeaders } from '../../transport/body/response.ts';
import { objectOf, textOf } from './read.ts';

/**
 * Error codes by Bedrock's exception name, which is sent in a header, in the body or in the stream. The list includes
 * names that add nothing to their status (`ValidationException`), because an error inside a stream has no status.
 * https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
 */
export const codeByAwsException: Readonly<Record<string, AttemptErrorCode>> = {
  accessdeniedexception: 'permission',
  conflictexception: 'conflict',
  internalserverexception: 'server_error',
  modelerrorexception: 'server_error',
  modelnotreadyexception: 'overloaded', // a 429, while the model is being loaded
  modelstreamerrorexception: 'server_error',
  modeltimeoutexception: 'server_error',
  resourcenotfoundexception: 'model_not_found',
  servicequotaexceededexception: 'quota_exhausted',
  serviceunavailableexception: 'overloaded',
  throttlingexception: 'rate_limited',
  validationexception: 'invalid_request',
  // Any AWS service, with status 400 or 403: wrong, expired or missing credentials.
  expiredtokenexception: 'auth',
  incompletesignatureexception: 'auth',
  invalidsignatureexception: 'auth',
  missingauthenticationtokenexception: 'auth',
  unrecognizedclientexception: 'auth',
};

/** Messages that are more specific than the exception Bedrock sends with them, mapped to the specific exception. */
const exceptionByPhrase: readonly (readonly [phrase: RegExp, exception: string])[] = [
  [/too many tokens per day/i, 'servicequotaexceededexception'],
  [
    /model identifier is invalid|with on-demand throughput isn.t supported/i,
    'resourcenotfoundexception',
  ],
  [
    /^authentication failed|security token .{0,30}(?:invalid|expired)/i,
    'unrecognizedclientexception',
  ],
];

/** The bare name in `ThrottlingException:http://…` or `com.amazon.coral.service#AccessDeniedException`. */
function bareName(name: string): string {
  return (name.split(':')[0]?.split('#').at(-1) ?? '').toLowerCase();
}

/** The exceptions named by an AWS error response, most specific first. Empty for other vendors. */
export function awsWordsOf(
  error: { readonly words: readonly string[]; readonly message: string },
  { headers, body }: { readonly headers?: AnswerHeaders | undefined; readonly body?: unknown },
): readonly string[] {
  const named = [headers?.get('x-amzn-errortype'), textOf(objectOf(body).__type)]
    .filter((each) => typeof each === 'string')
    .map(bareName);
  const known = [...named, ...error.words].find((each) => Object.hasOwn(codeByAwsException, each));
  if (known === undefined) return named;
  const specific = exceptionByPhrase.find(([phrase]) => phrase.test(error.message))?.[1];
  return specific === undefined ? [known] : [specific, known];
}

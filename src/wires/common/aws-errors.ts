import type { AttemptErrorCode } from '../../protocol/error-code.ts';
import type { AnswerHeaders } from '../../transport/body/response.ts';
import { objectOf, textOf } from './read.ts';

/**
 * The names of Bedrock's exceptions, which stand in a header, in the body or in the stream. Those that say no
 * more than their status (`ValidationException`, `ThrottlingException` outside a stream) are here all the same,
 * since a stream has none. https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html
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
  // Of all of AWS: credentials that are wrong, old or missing, with status 400 or 403.
  expiredtokenexception: 'auth',
  incompletesignatureexception: 'auth',
  invalidsignatureexception: 'auth',
  missingauthenticationtokenexception: 'auth',
  unrecognizedclientexception: 'auth',
};

/** What Bedrock says in prose, under an exception that says less; as the exception that says it. */
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

/** The exception that an answer of AWS's names, and before it the one its prose speaks of; none for others. */
export function awsWordsOf(
  error: { readonly words: readonly string[]; readonly message: string },
  { headers, body }: { readonly headers?: AnswerHeaders | undefined; readonly body?: unknown },
): readonly string[] {
  const named = [headers?.get('x-amzn-errortype'), textOf(objectOf(body).__type)]
    .filter((each) => typeof each === 'string')
    .map(bareName);
  const known = [...named, ...error.words].find((each) => Object.hasOwn(codeByAwsException, each));
  if (known === undefined) return named;
  const told = exceptionByPhrase.find(([phrase]) => phrase.test(error.message))?.[1];
  return told === undefined ? [known] : [told, known];
}

import { isSignalboxError, SignalboxError } from '../errors.ts';
import { own } from '../internal/own.ts';

const causeDepth = 5;

/**
 * What Node, undici, llhttp and OpenSSL call what went wrong. A `fetch` of the user's, or a model of the AI SDK, may
 * have put something else there.
 */
const networkCode =
  /^(?:E[A-Z0-9]{2,14}|EAI_[A-Z]{4,12}|(?:UND_ERR|ERR|HPE|CERT|CRL|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)_[A-Z0-9_]{3,40})$/;

/** The codes in an error's chain of causes (`ECONNRESET`, `UND_ERR_SOCKET`, …), outermost first. */
function codesOf(error: unknown): readonly string[] {
  const codes: string[] = [];
  let each = error;
  for (let depth = 0; depth < causeDepth && typeof each === 'object' && each !== null; depth++) {
    if ('code' in each && typeof each.code === 'string' && networkCode.test(each.code)) {
      codes.push(each.code);
    }
    each = 'cause' in each ? each.cause : undefined;
  }
  return codes;
}

/** What to look at for the network codes that are somebody's mistake rather than an outage. */
const hints: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the host name does not resolve: check baseURL',
  ECONNREFUSED: 'nothing listens there: check baseURL, or that the server is up',
  CERT_HAS_EXPIRED: 'its TLS certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its TLS certificate is self-signed',
};

/** Some ports are closed to `fetch`, which says so in words only: https://fetch.spec.whatwg.org/#port-blocking */
function isBlockedPort(error: unknown): boolean {
  return (
    error instanceof Error && error.cause instanceof Error && error.cause.message === 'bad port'
  );
}

/**
 * No answer: the request never got headers back (reset, DNS, TLS, refused). An address that `fetch` will never ask
 * is no outage but `config`.
 */
export function connectionError(cause: unknown): SignalboxError {
  if (isSignalboxError(cause)) return cause;
  if (isBlockedPort(cause)) {
    return new SignalboxError('config', 'no request can be sent to this port: check baseURL', {
      cause,
    });
  }
  const codes = codesOf(cause);
  const hint = codes.map((code) => own(hints, code)).find((each) => each !== undefined);
  const code = codes.at(-1);
  return new SignalboxError(
    'connection',
    `no connection to the vendor${code === undefined ? '' : ` (${code})`}${hint === undefined ? '' : `: ${hint}`}`,
    { cause },
  );
}

/** Half an answer: the connection broke, or the stream ended, before the vendor's terminal marker. */
export function interruptedError(what: string, cause?: unknown): SignalboxError {
  if (isSignalboxError(cause)) return cause;
  return new SignalboxError('stream_interrupted', `the answer broke off: ${what}`, {
    ...(cause !== undefined && { cause }),
  });
}

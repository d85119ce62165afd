import { isSignalboxError, SignalboxError } from '../errors.ts';
import { own } from '../internal/own.ts';

const maxCauseDepth = 5;

/**
 * The error codes of Node, undici, llhttp and OpenSSL. The user's `fetch` or a model of the AI SDK may set a `code` that
 * is something else.
 */
const networkCode =
  /^(?:E[A-Z0-9]{2,14}|EAI_[A-Z]{4,12}|(?:UND_ERR|ERR|HPE|CERT|CRL|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO)_[A-Z0-9_]{3,40})$/;

/** The codes in an error's chain of causes (`ECONNRESET`, `UND_ERR_SOCKET`, …), outermost first. */
function codesOf(error: unknown): readonly string[] {
  const codes: string[] = [];
  let current = error;
  for (let depth = 0; depth < maxCauseDepth; depth++) {
    if (typeof current !== 'object' || current === null) break;
    if ('code' in current && typeof current.code === 'string' && networkCode.test(current.code)) {
      codes.push(current.code);
    }
    current = 'cause' in current ? current.cause : undefined;
  }
  return codes;
}

/** Hints for network codes that usually mean a configuration mistake rather than an outage. */
const hints: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the host name does not resolve: check baseURL',
  ECONNREFUSED: 'nothing listens there: check baseURL, or that the server is up',
  CERT_HAS_EXPIRED: 'its TLS certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its TLS certificate is self-signed',
};

/** Codes of connections that were refused or not made, where the host and the port are what matters. */
const atHost: readonly string[] = [
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
];

/** The host and the port. Nothing else of the URL, which may have a credential in its query. */
function placeOf(code: string, url: string | undefined): string | undefined {
  if (url === undefined || !atHost.includes(code) || !URL.canParse(url)) return undefined;
  const { protocol, hostname, port } = new URL(url);
  const usual = protocol === 'http:' ? '80' : '443';
  return `${hostname}:${port === '' ? usual : port}`;
}

/** `fetch` blocks some ports, and reports it only in the message: https://fetch.spec.whatwg.org/#port-blocking */
function isBlockedPort(error: unknown): boolean {
  return (
    error instanceof Error && error.cause instanceof Error && error.cause.message === 'bad port'
  );
}

/**
 * The error for a request that got no response headers (reset, DNS, TLS, refused): `connection`, or `config` for a port
 * that `fetch` blocks. `url` is where the request was sent.
 */
export function connectionError(cause: unknown, url?: string): SignalboxError {
  if (isSignalboxError(cause)) return cause;
  if (isBlockedPort(cause)) {
    return new SignalboxError('config', 'no request can be sent to this port: check baseURL', {
      cause,
    });
  }
  const codes = codesOf(cause);
  const hint = codes.map((code) => own(hints, code)).find((each) => each !== undefined);
  const code = codes.at(-1);
  const place = code === undefined ? undefined : placeOf(code, url);
  return new SignalboxError(
    'connection',
    `no connection to the vendor${code === undefined ? '' : ` (${code}${place === undefined ? '' : ` at ${place}`})`}${hint === undefined ? '' : `: ${hint}`}`,
    { cause },
  );
}

/** The error for a response that ended before the vendor's terminal marker. */
export function interruptedError(what: string, cause?: unknown): SignalboxError {
  if (isSignalboxError(cause)) return cause;
  return new SignalboxError('stream_interrupted', `the answer was interrupted: ${what}`, {
    ...(cause !== undefined && { cause }),
  });
}

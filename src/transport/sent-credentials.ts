import { sharesRun } from '../internal/vendor-data.ts';
import type { OutgoingRequest } from '../protocol/provider.ts';
import type { AnswerHeaders } from './answer.ts';

/** Request headers that contain no secret: common ones, and ids that vendors are expected to repeat. */
const publicHeaders: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'anthropic-beta',
  'anthropic-version',
  'content-length',
  'content-type',
  'host',
  'http-referer',
  'idempotency-key',
  'openai-beta',
  'request-id',
  'traceparent',
  'tracestate',
  'user-agent',
  'x-client-request-id',
  'x-goog-api-client',
  'x-request-id',
  'x-title',
]);

/** URL parameters that contain no secret. */
const publicParameters: ReadonlySet<string> = new Set(['alt', 'api-version']);

/** The authentication scheme before a credential. */
const scheme = /^(?:basic|bearer|key|token)\s+/i;

/** A shorter value is a word or a flag, not a secret. */
const minSecretLength = 8;

/** Replaces a credential. */
const redacted = '[credential]';

/**
 * The base64 of the secret inside a longer text, for its three possible alignments. The characters at both ends depend
 * on the neighbouring bytes and are left out.
 */
function base64Of(secret: string): readonly string[] {
  return [0, 1, 2].flatMap((offset) => {
    const bytes = Buffer.from(`${'\0'.repeat(offset)}${secret}`);
    const whole = bytes
      .toString('base64')
      .slice(Math.ceil((offset * 8) / 6), Math.floor((bytes.length * 8) / 6));
    return [whole, whole.replaceAll('+', '-').replaceAll('/', '_')];
  });
}

/** The forms in which a vendor may repeat a secret. */
function formsOf(secret: string): readonly string[] {
  const forms = [secret, encodeURIComponent(secret), ...base64Of(secret)];
  return [...new Set(forms)].filter((form) => form.length >= minSecretLength);
}

/** The name and the password of `Basic` each count as a secret. */
function secretsIn(value: string): readonly string[] {
  const bare = value.replace(scheme, '').trim();
  if (!/^basic\s/i.test(value)) return [bare];
  return [bare, ...Buffer.from(bare, 'base64').toString().split(':')];
}

function parametersOf(url: string): readonly string[] {
  const query = url.indexOf('?');
  if (query < 0) return [];
  return [...new URLSearchParams(url.slice(query + 1))]
    .filter(([name]) => !publicParameters.has(name))
    .map(([, value]) => value);
}

/** The parts of a request that may contain credentials. */
export type SentRequest = {
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
};

/** The forms of all credentials of a request. */
function formsIn({ headers, url }: SentRequest): readonly string[] {
  const values = Object.entries(headers)
    .filter(([name]) => !publicHeaders.has(name))
    .map(([, value]) => value);
  return [...values, ...parametersOf(url)]
    .flatMap(secretsIn)
    .filter((secret) => secret.length >= minSecretLength)
    .flatMap(formsOf);
}

function without(forms: readonly string[], text: string): string {
  let clean = text;
  for (const form of forms) clean = clean.replaceAll(form, redacted);
  return clean;
}

/** The request without its credentials, also where its body repeats them. */
export function withoutSecrets({ method, url, headers, body }: OutgoingRequest): OutgoingRequest {
  const forms = formsIn({ url, headers });
  const shown = Object.entries(headers).map(([name, value]) => [
    name,
    publicHeaders.has(name) ? without(forms, value) : redacted,
  ]);
  return {
    method,
    url: without(forms, url),
    headers: Object.fromEntries(shown),
    ...(body !== undefined && { body: without(forms, body) }),
  };
}

/** The headers of a response, with the credentials of its request, which the vendor may repeat. */
export class HeadersOfAnswer implements AnswerHeaders {
  readonly #headers: AnswerHeaders;
  readonly #sent: SentRequest;
  #knownForms: readonly string[] | undefined;

  constructor(headers: AnswerHeaders, sent: SentRequest) {
    this.#headers = headers;
    this.#sent = sent;
  }

  get(name: string): string | null {
    return this.#headers.get(name);
  }

  keys(): Iterable<string> {
    return this.#headers.keys();
  }

  repeatsCredential(text: string): boolean {
    return this.#forms().some((form) => sharesRun(text, form));
  }

  withoutCredentials(text: string): string {
    return without(this.#forms(), text);
  }

  #forms(): readonly string[] {
    this.#knownForms ??= formsIn(this.#sent);
    return this.#knownForms;
  }
}

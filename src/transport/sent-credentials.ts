import { sharesRun } from '../internal/shares-run.ts';
import type { AnswerHeaders } from './body/response.ts';

/** Headers of a request that hold no secret: what is common to all requests, and ids that vendors are to repeat. */
const openHeaders: ReadonlySet<string> = new Set([
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

/** Parameters of an address that hold no secret. */
const openParameters: ReadonlySet<string> = new Set(['alt', 'api-version']);

/** What may stand before a credential. */
const scheme = /^(?:basic|bearer|key|token)\s+/i;

/** A shorter value is a word or a switch, and no secret. */
const shortestSecret = 8;

/** What stands in place of a credential. */
const hidden = '[credential]';

/**
 * What all base64 of a text has in common that holds the secret, for the three ways that it may be aligned. The
 * characters at both ends depend on the neighbours, and are left out.
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

/** The forms in which a secret may be repeated. */
function formsOf(secret: string): readonly string[] {
  const forms = [secret, encodeURIComponent(secret), ...base64Of(secret)];
  return [...new Set(forms)].filter((form) => form.length >= shortestSecret);
}

/** A provider's keys are few, and used again and again. */
const maxKnownSecrets = 64;
const knownForms = new Map<string, readonly string[]>();

function knownFormsOf(secret: string): readonly string[] {
  const known = knownForms.get(secret);
  if (known !== undefined) return known;
  const forms = formsOf(secret);
  if (knownForms.size >= maxKnownSecrets) knownForms.clear();
  knownForms.set(secret, forms);
  return forms;
}

/** The name and password of `Basic` are a secret each. */
function secretsIn(value: string): readonly string[] {
  const bare = value.replace(scheme, '').trim();
  if (!/^basic\s/i.test(value)) return [bare];
  return [bare, ...Buffer.from(bare, 'base64').toString().split(':')];
}

function parametersOf(url: string): readonly string[] {
  const query = url.indexOf('?');
  if (query < 0) return [];
  return [...new URLSearchParams(url.slice(query + 1))]
    .filter(([name]) => !openParameters.has(name))
    .map(([, value]) => value);
}

/** What a request was sent with. */
export type SentRequest = {
  readonly url: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
};

/** The headers of an answer, and the credentials of its request, which the vendor may repeat in it. */
export class HeadersOfAnswer implements AnswerHeaders {
  readonly #headers: AnswerHeaders;
  readonly #sent: SentRequest;

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
    let told = text;
    for (const form of this.#forms()) told = told.replaceAll(form, hidden);
    return told;
  }

  #forms(): readonly string[] {
    const { headers, url } = this.#sent;
    const values = Object.entries(headers)
      .filter(([name]) => !openHeaders.has(name))
      .map(([, value]) => value);
    return [...values, ...parametersOf(url)]
      .flatMap(secretsIn)
      .filter((secret) => secret.length >= shortestSecret)
      .flatMap(knownFormsOf);
  }
}

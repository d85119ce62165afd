import { hash as hashOf, timingSafeEqual } from 'node:crypto';
import { SignalboxError } from '../../errors.ts';
import type { Exchange } from './exchange.ts';
import { HttpProblem } from './problems.ts';

/** What a client may do. */
export type Access = {
  /** Who pays: the tag `subject` of the calls, for `by` of a budget. */
  readonly subject: string;
  /** Tags of the calls. A client cannot change them. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** The tiers that it may call. @default all */
  readonly tiers?: readonly string[] | undefined;
  /** Whether it gets the headers `x-signalbox-*`: the target and the cost of an answer. @default false */
  readonly expose?: boolean | undefined;
};

/** Returns what the client of a request may do, or `null` if it may do nothing. */
export type Authenticate = (request: Request) => Access | null | Promise<Access | null>;

/** A key of a client. */
export type ApiKey = Access & {
  /** SHA-256 of the key, as 64 hexadecimal digits. */
  readonly sha256: string;
};

/** What identifies a request: from a web request, or from Node's without making one. */
type Credentials = Pick<Exchange, 'header'>;

/** Reads credentials without a `Request`, whose making takes longer than the check. */
const quick = new WeakMap<Authenticate, (credentials: Credentials) => Access | null>();

/** Longer than any key. Hashing more would take the time of others. */
const maxKeyLength = 512;

/** The key that a client sends: OpenAI's, Anthropic's or Azure's header. */
function keyOf({ header }: Credentials): string | undefined {
  const bearer = /^bearer +(\S+)$/i.exec(header('authorization') ?? '')?.[1];
  const key = bearer ?? header('x-api-key') ?? header('api-key');
  return key === undefined || key.length > maxKeyLength ? undefined : key;
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

/** Why an access is invalid, or `undefined`. */
export function accessProblem(access: unknown): string | undefined {
  if (typeof access !== 'object' || access === null) return 'must be an object';
  const { subject, tags, tiers, expose }: Partial<Record<keyof Access, unknown>> = access;
  if (!isText(subject)) return 'subject must be a string that is not empty';
  if (tags !== undefined) {
    const isTags =
      typeof tags === 'object' && tags !== null && Object.values(tags).every((tag) => isText(tag));
    if (!isTags) return 'tags must be an object of strings';
    if (Object.hasOwn(tags, 'subject')) return 'tags must not contain subject';
  }
  if (tiers !== undefined && !(Array.isArray(tiers) && tiers.every(isText))) {
    return 'tiers must be a list of names';
  }
  if (expose !== undefined && typeof expose !== 'boolean') return 'expose must be true or false';
  return undefined;
}

/**
 * An `authenticate` for a list of keys, of which only the hashes are kept. A key is read from `Authorization: Bearer`,
 * `x-api-key` or `api-key`, and compared with all of them in constant time.
 *
 * @throws SignalboxError `config` for an invalid entry, and for a key that is there twice
 */
export function apiKeys(keys: readonly ApiKey[]): Authenticate {
  if (!Array.isArray(keys) || keys.length === 0) {
    throw new SignalboxError('config', 'apiKeys(): must be a list with at least one key');
  }
  const seen = new Set<string>();
  const entries = keys.map((key: ApiKey, index) => {
    const problem = accessProblem(key);
    if (problem !== undefined)
      throw new SignalboxError('config', `apiKeys()[${index}]: ${problem}`);
    const { sha256, ...access } = key;
    if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/i.test(sha256)) {
      const message = `apiKeys()[${index}].sha256: must be 64 hexadecimal digits, the SHA-256 of the key`;
      throw new SignalboxError('config', message);
    }
    const hash = sha256.toLowerCase();
    if (seen.has(hash)) {
      throw new SignalboxError('config', `apiKeys()[${index}].sha256: this key is there already`);
    }
    seen.add(hash);
    return { hash: Buffer.from(hash, 'hex'), access: Object.freeze(access) };
  });
  const accessOf = (credentials: Credentials): Access | null => {
    const key = keyOf(credentials);
    if (key === undefined) return null;
    const given = hashOf('sha256', key, 'buffer');
    let found: Access | null = null;
    // All of them, so that the time does not depend on the position.
    for (const { hash, access } of entries) if (timingSafeEqual(hash, given)) found = access;
    return found;
  };
  const authenticate: Authenticate = ({ headers }) =>
    accessOf({ header: (name) => headers.get(name) ?? undefined });
  quick.set(authenticate, accessOf);
  return authenticate;
}

/** The names of this machine for itself. */
const localHosts: readonly string[] = ['127.0.0.1', 'localhost', '[::1]'];

/**
 * An `authenticate` without keys, for a server that listens on loopback only. It refuses requests of web pages: their
 * `Host` is foreign when a name of theirs resolves to this machine, and their `Origin` otherwise.
 */
export function localAccess(access: Access): Authenticate {
  const accessOf = ({ header }: Credentials): Access => {
    const host = header('host') ?? '';
    if (!localHosts.includes(host.replace(/:\d+$/, '').toLowerCase())) {
      throw new HttpProblem(403, 'permission', 'The host must be 127.0.0.1, localhost or [::1].');
    }
    const origin = header('origin');
    if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
      throw new HttpProblem(403, 'permission', 'Web pages must not call this server.');
    }
    return access;
  };
  const authenticate: Authenticate = ({ headers }) =>
    accessOf({ header: (name) => headers.get(name) ?? undefined });
  quick.set(authenticate, accessOf);
  return authenticate;
}

/** Asks `authenticate` about a request. */
export function accessTo(
  authenticate: Authenticate,
  exchange: Exchange,
): Access | null | Promise<Access | null> {
  return (
    quick.get(authenticate)?.(exchange) ??
    (quick.has(authenticate) ? null : authenticate(exchange.toRequest()))
  );
}

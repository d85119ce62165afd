/** Ids of all vendors: UUIDs, hexadecimal and base64 digits, with a prefix or without. */
const shape = /^[A-Za-z0-9][A-Za-z0-9_.:+/=-]{0,127}$/;

/**
 * How the keys of vendors begin, and tokens of OAuth, as they are and in base64. An id that looks like one is not
 * passed on, for where nobody knows what the key is.
 */
const keyLike =
  /(?:^|[^A-Za-z0-9])(?:(?:sk|pk|rk|gsk|csk|dsk|xai|pplx|nvapi|tgp|fw|hf|r8|ghp)[-_]|AIza|AKIA|ASIA|ABSK|ya29\.|eyJ|c2st|QUl6|Z3Nr|QmVhcmVy)[A-Za-z0-9_.+/=-]{6}/;

/** The value, if it has the form of a request's id and not that of a key. */
export function requestIdIn(value: unknown): string | undefined {
  return typeof value === 'string' && shape.test(value) && !keyLike.test(value) ? value : undefined;
}

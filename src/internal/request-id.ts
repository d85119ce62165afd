/** The ids of all vendors: UUIDs, hexadecimal or base64 digits, with or without a prefix. */
const shape = /^[A-Za-z0-9][A-Za-z0-9_.:+/=-]{0,127}$/;

/**
 * How vendors' keys and OAuth tokens begin, verbatim and in base64. A value that looks like one is not passed on as an
 * id, because the request's key is not always known.
 */
const keyLike =
  /(?:^|[^A-Za-z0-9])(?:(?:sk|pk|rk|gsk|csk|dsk|xai|pplx|nvapi|tgp|fw|hf|r8|ghp)[-_]|AIza|AKIA|ASIA|ABSK|ya29\.|eyJ|c2st|QUl6|Z3Nr|QmVhcmVy)[A-Za-z0-9_.+/=-]{6}/;

/** The value, if it looks like a request id and not like a key. */
export function requestIdIn(value: unknown): string | undefined {
  return typeof value === 'string' && shape.test(value) && !keyLike.test(value) ? value : undefined;
}

/** The environment variables that may be read for a key. */
export type KeyVariables = {
  readonly names: readonly string[];
  /** Why the variables are not read, for the error about the missing key. */
  readonly withheld?: string;
};

/** Whether the host is one of `hosts` or a subdomain of one. */
export function isHostOf(hostname: string, hosts: readonly string[]): boolean {
  return hosts
    .map((host) => host.toLowerCase())
    .some((host) => host !== '' && (hostname === host || hostname.endsWith(`.${host}`)));
}

/** Loopback hosts, used by test servers and local proxies. Requests do not leave this machine. */
function isThisMachine(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/**
 * Whether a credential from the environment may be sent to the URL: over TLS to one of its vendor's hosts at the
 * default port, or to this machine.
 */
export function mayGetAmbientKey(baseURL: string, hosts: readonly string[]): boolean {
  if (!URL.canParse(baseURL)) return false;
  const { protocol, hostname, port } = new URL(baseURL);
  if (isThisMachine(hostname)) return true;
  return protocol === 'https:' && port === '' && isHostOf(hostname, hosts);
}

/**
 * The variables to read for the key of a URL. A key from the environment belongs to its vendor, so other hosts get it
 * only if the caller sets it as `apiKey`. `baseURL` is the caller's setting; without it, requests go to the vendor.
 */
export function keyVariablesFor(
  baseURL: string | undefined,
  names: readonly string[],
  hosts: readonly string[] | 'any',
): KeyVariables {
  if (baseURL === undefined || names.length === 0 || hosts === 'any') return { names };
  if (mayGetAmbientKey(baseURL, hosts)) return { names };
  const variables = names.join(' or ');
  const withheld = `the variable ${variables} is only sent over https to ${hosts.join(', ')}, not to ${new URL(baseURL).origin}; to send it there, set it as the key`;
  return { names: [], withheld };
}

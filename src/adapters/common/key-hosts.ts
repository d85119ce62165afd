/** The variables that may be asked for a key, and why others may not. */
export type KeyVariables = {
  readonly names: readonly string[];
  /** Said where the key is missing. */
  readonly withheld?: string;
};

/** Whether the host is one of these, or a subdomain of one. */
export function isHostOf(hostname: string, hosts: readonly string[]): boolean {
  return hosts
    .map((host) => host.toLowerCase())
    .some((host) => host !== '' && (hostname === host || hostname.endsWith(`.${host}`)));
}

/** What is sent there stays on this machine: test servers, and proxies that add to a request. */
function isThisMachine(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}

/**
 * Whether a credential that nobody named may go to the address: over TLS to a host of its issuer's, at the usual port,
 * or to this machine.
 */
export function mayGetAmbientKey(baseURL: string, hosts: readonly string[]): boolean {
  if (!URL.canParse(baseURL)) return false;
  const { protocol, hostname, port } = new URL(baseURL);
  if (isThisMachine(hostname)) return true;
  return protocol === 'https:' && port === '' && isHostOf(hostname, hosts);
}

/**
 * The variables to ask for the key of an address. A key from the environment was made for its vendor: another host gets
 * it only where the caller sets it as `apiKey`. `baseURL` is the caller's; without one the address is the vendor's.
 */
export function keyVariablesFor(
  baseURL: string | undefined,
  names: readonly string[],
  hosts: readonly string[] | 'any',
): KeyVariables {
  if (baseURL === undefined || names.length === 0 || hosts === 'any') return { names };
  if (mayGetAmbientKey(baseURL, hosts)) return { names };
  const variables = names.join(' or ');
  const withheld = `the variable ${variables} is sent over https to ${hosts.join(', ')} only, and not to ${new URL(baseURL).origin}; to send it there, set it as the key`;
  return { names: [], withheld };
}

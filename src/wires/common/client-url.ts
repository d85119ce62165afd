const { BlockList, isIP } = process.getBuiltinModule('node:net');

/** What a client must not have loaded: the machine itself, the networks around it, and the metadata of clouds. */
const own = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
] as const) {
  own.addSubnet(network, bits, 'ipv4');
}
for (const [network, bits] of [
  ['::', 96],
  ['64:ff9b::', 96],
  ['fc00::', 7],
  ['fe80::', 9],
  ['ff00::', 8],
] as const) {
  own.addSubnet(network, bits, 'ipv6');
}

/** Names that only an own network resolves. */
const ownName =
  /(?:^|\.)(?:localhost|local|localdomain|internal|intranet|lan|home|corp|home\.arpa)$/;

/** Google gives out the files that were uploaded with the server's own key. */
const uploads = 'generativelanguage.googleapis.com';

/** `hostname` is that of a parsed URL: in lower case, and a number as an address. */
function isPublic(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  const version = isIP(host);
  if (version !== 0) return !own.check(host, version === 4 ? 'ipv4' : 'ipv6');
  return host.includes('.') && !ownName.test(host) && host !== uploads;
}

/**
 * The URL of a client as a vendor is to load it, or `undefined` if nobody may on behalf of a client. Written anew, so that
 * a vendor cannot read it in another way. Names are not looked up.
 */
export function publicUrl(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined;
  return url.username === '' && url.password === '' && isPublic(url.hostname)
    ? url.href
    : undefined;
}

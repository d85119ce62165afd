/** Random for each process, so that a fingerprint means nothing outside of it. */
let salt: string | undefined;

/** 96 bits: two of a million keys have the same fingerprint with a probability below 10^-16. */
const fingerprintLength = 16;

/** What stands for a secret, such as a key, where the secret itself must not be kept. */
export function fingerprintOf(secret: string): string {
  const { hash, randomBytes } = process.getBuiltinModule('node:crypto');
  salt ??= randomBytes(32).toString('base64url');
  return hash('sha256', salt + secret, 'base64url').slice(0, fingerprintLength);
}

import type { Vendor } from '../support/vendors.ts';

/** The replay data of the simulated vendors. */
export const reasoningSignature = 'c2lnbmF0dXJlIG9mIHRoZSB0ZXN0';

/** What each vendor needs to go on after tools: its encrypted reasoning, the reasoning, or a signature. */
export const replayed = {
  responses: `"encrypted_content":"${reasoningSignature}"`,
  chat: '"reasoning_content":"They want the weather."',
  anthropic: `"signature":"${reasoningSignature}"`,
  google: `"thoughtSignature":"${reasoningSignature}"`,
} as const satisfies Record<Vendor['name'], string>;

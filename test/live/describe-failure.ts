import { AssertionError } from 'node:assert';
import { isSignalboxError, type SignalboxError } from '../../src/errors.ts';
import type { Candidate } from './vendors.ts';

const maxLength = 200;

/** Long enough to be an id or part of a key. */
const longWord = /[^\s"'`,;:()[\]{}/]{16,}/g;

/** Vendors show a key with asterisks in its middle. */
const maskedWord = /\S*\*{2,}\S*/g;

/** The first line, without what may identify an account or a key. */
function safeLine(text: string, { vendor, model, environment }: Candidate): string {
  const secrets = vendor.variables.flat().flatMap((name) => environment[name]?.trim() || []);
  const [line = ''] = text.trim().split('\n');
  const hidden = secrets.reduce((rest, secret) => rest.replaceAll(secret, '…'), line);
  const safe = hidden
    .replaceAll(maskedWord, '…')
    .replaceAll(/\S+@\S+/g, '…')
    .replaceAll(longWord, (word) => (model.includes(word) ? word : '…'));
  return safe.length > maxLength ? `${safe.slice(0, maxLength)}…` : safe;
}

/** The vendor's own words help with everything but a rejected key, of which they may repeat a part. */
function vendorWordsOf({ code, cause }: SignalboxError): string | undefined {
  if (code === 'auth' || !(cause instanceof Error) || cause.name !== 'VendorError')
    return undefined;
  return cause.message;
}

/** Why a case failed, in one line that can be published. */
export function describeFailure(error: unknown, candidate: Candidate): string {
  if (error instanceof AssertionError) return safeLine(error.message, candidate);
  if (!isSignalboxError(error)) {
    return `bug: ${safeLine(String(error), candidate)}`;
  }
  const words = vendorWordsOf(error);
  const said = words === undefined ? '' : `; the vendor: ${safeLine(words, candidate)}`;
  return `${error.code}: ${error.message}${said}`;
}

import { describe, expect, test } from 'vitest';
import { SignalboxError } from '../../src/errors.ts';
import { connectionError, interruptedError } from '../../src/transport/network-error.ts';

function failed(...codes: readonly string[]): Error {
  return codes.reduceRight<Error | undefined>(
    (cause, code) => Object.assign(new Error('the URL and the key'), { code, cause }),
    undefined,
  ) as Error;
}

describe('connectionError', () => {
  test.each([
    ['ENOTFOUND', 'the host name does not resolve: check baseURL'],
    ['ECONNREFUSED', 'nothing listens there'],
    ['CERT_HAS_EXPIRED', 'certificate has expired'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'self-signed'],
  ])('explains %s', (code, hint) => {
    const cause = Object.assign(new TypeError('fetch failed'), { cause: failed(code) });
    const error = connectionError(cause);
    expect(error.code).toBe('connection');
    expect(error.message).toContain(`(${code})`);
    expect(error.message).toContain(hint);
    expect(error.cause).toBe(cause);
  });

  test.each([
    ['http://127.0.0.1:9/v1?key=secret', 'ECONNREFUSED', '(ECONNREFUSED at 127.0.0.1:9)'],
    ['https://api.example.com/v1', 'ENOTFOUND', '(ENOTFOUND at api.example.com:443)'],
    ['http://[::1]/v1', 'ECONNREFUSED', '(ECONNREFUSED at [::1]:80)'],
    ['https://api.example.com/v1', 'ECONNRESET', '(ECONNRESET)'],
  ])('has the host and the port of %s for %s', (url, code, place) => {
    const { message } = connectionError(failed(code), url);
    expect(message).toContain(`no connection to the vendor ${place}`);
    expect(message).not.toContain('secret');
  });

  test('names the innermost code', () => {
    expect(connectionError(failed('UND_ERR_SOCKET', 'ECONNRESET')).message).toBe(
      'no connection to the vendor (ECONNRESET)',
    );
  });

  test('does not repeat the message of the cause', () => {
    expect(connectionError(failed('ECONNRESET')).message).not.toContain('key');
  });

  test('accepts a cause that is not an error, and a cyclic chain', () => {
    expect(connectionError('broken').message).toBe('no connection to the vendor');
    const circular: Error & { code?: string } = failed('ECONNRESET');
    circular.cause = circular;
    expect(connectionError(circular).message).toContain('ECONNRESET');
  });

  test('returns a SignalboxError unchanged', () => {
    const timeout = new SignalboxError('timeout', 'late', { phase: 'connect' });
    expect(connectionError(timeout)).toBe(timeout);
    expect(interruptedError('cut', timeout)).toBe(timeout);
  });
});

test('interruptedError describes the interruption and keeps its cause', () => {
  const cause = failed('ECONNRESET');
  const error = interruptedError('the connection was cut', cause);
  expect(error).toMatchObject({ code: 'stream_interrupted', cause });
  expect(error.message).toBe('the answer was interrupted: the connection was cut');
  expect('cause' in interruptedError('its JSON is incomplete')).toBe(false);
});

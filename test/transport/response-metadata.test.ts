import { describe, expect, test } from 'vitest';
import { requestIdOf, retryAfterMsOf } from '../../src/transport/answer.ts';

const date = 'Wed, 21 Oct 2026 07:28:00 GMT';

describe('retryAfterMsOf', () => {
  const cases: [string, Record<string, string>, number | undefined][] = [
    ['seconds', { 'retry-after': '2' }, 2_000],
    ['a fraction of a second', { 'retry-after': '0.5' }, 500],
    ['zero', { 'retry-after': '0' }, 0],
    ['milliseconds', { 'retry-after-ms': '1500' }, 1_500],
    ['milliseconds before seconds', { 'retry-after-ms': '250', 'retry-after': '1' }, 250],
    [
      'seconds, when the milliseconds are empty',
      { 'retry-after-ms': '', 'retry-after': '3' },
      3_000,
    ],
    [
      'seconds, when the milliseconds are negative',
      { 'retry-after-ms': '-1', 'retry-after': '3' },
      3_000,
    ],
    [
      'seconds, when the milliseconds are invalid',
      { 'retry-after-ms': 'x', 'retry-after': '3' },
      3_000,
    ],
    [
      'a date, relative to that of the response',
      { 'retry-after': 'Wed, 21 Oct 2026 07:28:30 GMT', date },
      30_000,
    ],
    [
      'a date of the old form',
      { 'retry-after': 'Wednesday, 21-Oct-26 07:29:00 GMT', date },
      60_000,
    ],
    ['a date that has passed', { 'retry-after': 'Wed, 21 Oct 2026 07:27:00 GMT', date }, 0],
    ['a date that has passed by the local clock', { 'retry-after': date }, undefined],
    ['the longest of several values', { 'retry-after': '5, 30' }, 30_000],
    ['equal values', { 'retry-after': '7, 7', 'retry-after-ms': 'x, x' }, 7_000],
    ['several values in milliseconds', { 'retry-after-ms': '100, 250' }, 250],
    [
      'several dates',
      {
        'retry-after': 'Wed, 21 Oct 2026 07:28:30 GMT, Wed, 21 Oct 2026 07:28:40 GMT',
        date,
      },
      40_000,
    ],
    ['seconds and a date', { 'retry-after': '5, Wednesday, 21-Oct-26 07:29:00 GMT', date }, 60_000],
    ['several values, some of them invalid', { 'retry-after': 'soon, 4' }, 4_000],
    ['a negative number', { 'retry-after': '-5' }, undefined],
    ['infinity', { 'retry-after': 'Infinity' }, undefined],
    ['words', { 'retry-after': 'soon' }, undefined],
    ['words that a lenient parser accepts as a date', { 'retry-after': 'try 5', date }, undefined],
    ['an empty header', { 'retry-after': '' }, undefined],
    ['no header', {}, undefined],
  ];
  test.each(cases)('parses %s', (_, headers, expected) => {
    expect(retryAfterMsOf(new Headers(headers))).toBe(expected);
  });
});

test('measures a date by the local clock when the response has no date', () => {
  const inAMinute = new Date(Date.now() + 60_000).toUTCString();
  const waitMs = retryAfterMsOf(new Headers({ 'retry-after': inAMinute })) ?? 0;
  expect(waitMs).toBeGreaterThan(50_000);
  expect(waitMs).toBeLessThanOrEqual(60_000);
});

describe('requestIdOf', () => {
  const cases: [string, Record<string, string>, string | undefined][] = [
    ['the id of OpenAI', { 'x-request-id': 'req_1', 'cf-ray': 'ray' }, 'req_1'],
    ['the id of Anthropic', { 'request-id': 'req_2', 'cf-ray': 'ray' }, 'req_2'],
    ['the id of Cloudflare, when there is no other', { 'cf-ray': 'ray' }, 'ray'],
    ['the next one, when one is empty', { 'x-request-id': '', 'request-id': 'req_3' }, 'req_3'],
    ['none, without a header', {}, undefined],
  ];
  test.each(cases)('finds %s', (_, headers, expected) => {
    expect(requestIdOf(new Headers(headers))).toBe(expected);
  });
});

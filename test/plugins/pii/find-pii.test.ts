import { describe, expect, it } from 'vitest';
import { type PiiKind, piiFinder, piiKinds } from '../../../src/plugins/policies/pii/find-pii.ts';
import { oneOf, personalData, seeded } from '../../support/personal-data.ts';

const find = piiFinder(piiKinds, ['US', 'GB', 'DE', 'FR']);

/** What is found in a text, by kind. */
function foundIn(text: string, label?: string): readonly string[] {
  return find(text, label).map(({ kind, start, end }) => `${kind} ${text.slice(start, end)}`);
}

describe('the detectors', () => {
  it.each(piiKinds)('find at least 99 of 100 generated values: %s', (kind: PiiKind) => {
    const random = seeded(22);
    const { draw, texts } = personalData[kind];
    const missed: string[] = [];
    for (let count = 0; count < 1_000; count += 1) {
      const value = draw(random);
      const text = oneOf(random, texts).replace('%', () => value);
      const start = text.indexOf(value);
      const isFound = find(text).some(
        (span) => span.start <= start && span.end >= start + value.length,
      );
      if (!isFound) missed.push(text);
    }
    expect(missed.slice(0, missed.length > 10 ? undefined : 0)).toEqual([]);
  });

  it.each([
    ['phone', 'Phone:\n780 6326', 'phone 780 6326'],
    ['phone with an extension', 'Desk: +1-903-140-4508x769', 'phone +1-903-140-4508x769'],
    ['phone before its word', '655 437 108 office', 'phone 655 437 108'],
    ['phone before another number', 'ring +1 415-555-2671 24 hours', 'phone +1 415-555-2671'],
    ['phone after another number', 'in room 12 +49 30 23512345', 'phone +49 30 23512345'],
    ['card of an unusual length', 'credit card 503890547220', 'card 503890547220'],
    ['IBAN in lower case', 'my iban is gb82west12345698765432', 'iban gb82west12345698765432'],
    ['SSN without hyphens', 'social security number 219099999', 'ssn 219099999'],
    ['NINO in lower case', 'national insurance ab123456c', 'nino ab123456c'],
    ['address in a query', 'https://x.test/?to=ada%40x.org', 'email ada%40x.org'],
    ['address in another script', 'пишите юзер@почта.рф', 'email юзер@почта.рф'],
    ['IPv6 with a short form', 'ping 2001:db8::8a2e:370:7334', 'ip 2001:db8::8a2e:370:7334'],
    ['German pension id', 'Nr. 15 070649 C 103', 'national-id 15 070649 C 103'],
    ['French id of Corsica', '1 85 05 2A 006 084 35', 'national-id 1 85 05 2A 006 084 35'],
    ['foreigner in Spain', 'NIE X1234567L', 'national-id X1234567L'],
    ['value after an escape', '{"a":"x\\n4111111111111111"}', 'card 4111111111111111'],
  ])('find a %s', (_, text, expected) => {
    expect(foundIn(text)).toEqual([expected]);
  });

  it('read the key of a value as a word before it', () => {
    expect(foundIn('7806326', 'phoneNumber')).toEqual(['phone 7806326']);
    expect(foundIn('1985-03-12', 'date_of_birth')).toEqual(['birth-date 1985-03-12']);
    expect(foundIn('7806326', 'orderNumber')).toEqual([]);
  });

  it('stop at what follows a value', () => {
    expect(foundIn('Ask ada@x.org. Or GB82 WEST 1234 5698 7654 32 please')).toEqual([
      'email ada@x.org',
      'iban GB82 WEST 1234 5698 7654 32',
    ]);
    expect(foundIn('4111 1111 1111 1111 2026')).toEqual(['card 4111 1111 1111 1111']);
  });
});

/** Texts with numbers and marks that are nobody's. */
const harmless = [
  'Release 10.15.7.1 fixes what version 4.12.250.3 broke; see section 3.2.1.4.',
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0.0.0 Safari/537.36',
  'bind to 127.0.0.1 or 0.0.0.0 with netmask 255.255.255.0',
  'The build ran from 2024-05-12 10:30:45 to 2024-05-12T11:02:07.123Z, id 1715509845123.',
  'order 1234567890, invoice 20240512-0001, ticket #48213377, part AB-1234-5678',
  'commit 3f2b8c1d9e4a5b6c7d8e9f0a1b2c3d4e5f6a7b8c, uuid 123e4567-e89b-12d3-a456-426614174000',
  'sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  'ISBN 978-3-16-148410-0 costs 1,234,567.89 or 12.500.000 or 1 500 000 people',
  'git clone git@github.com:team/project.git && npm install react@18.2.0 @scope/pkg@1.0.0',
  '![logo](icon@2x.png) @media (min-width: 1024px) { margin: 0 16px 24px }',
  'std::vector<int> v; Foo::Bar::baz(); ab::cd; 12:30:45; 00:1a:2b:3c:4d:5e',
  'pi is 3.14159265358979323846 and e is 2.718281828459045',
  'The years 2019-2020 and 1914 - 1918; pages 100-200; ZIP 12345-6789; 48.8566, 2.3522',
  'It was born in the cloud in 2019. The company was founded on 4 May 1999.',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a template
  'postgres://${DB_USER}:${DB_PASSWORD}@localhost/app and https://example.com/@someone',
  'Use sk-learn or sk-estimators-and-their-many-names; a token_is_not_a_secret.',
  'Ignore the noise: 1 2 3 4 5 6 7 8 9 10 11 12; 5 000 000; 99 999 999 items',
  'x = a @ b; y = arr[1:20, 3:4]; if (a<b && c>d) return 0x7fffffff;',
  'Snowflake 1234567890123456789, epoch 1700000000, nanoseconds 1700000000123456789',
  'Meeting id 123 456 789, room 4-2-1, model X1234, size 10x20x30, ratio 16:9, GB200 NVL72',
  'SELECT * FROM orders WHERE id IN (10000001, 10000002, 10000003) LIMIT 500000;',
];

describe('a text without personal data', () => {
  it.each(harmless)('stays as it is: %s', (text) => {
    expect(foundIn(text)).toEqual([]);
  });
});

describe('a hostile text', () => {
  const repeated = (part: string) => part.repeat(Math.ceil(50_000 / part.length));
  it.each([
    ...[
      '1',
      '1 ',
      '12-',
      '+1',
      '(1',
      '1.',
      'a@',
      '@',
      'a.',
      '%40',
      'eyJ',
      'eyJ-',
      'eyJa.',
      'sk-',
      ':',
      'a:',
      '::',
    ],
    ...[
      '-----BEGIN PRIVATE KEY-----',
      '-----BEGIN ',
      'http://',
      'http://a:',
      'GB82',
      'GB82 ',
      'born ',
      'born 1/',
    ],
    ...[
      'AB 12 ',
      '12 345 678 ',
      '1 85 05 ',
      'phone ',
      'phone: 1 ',
      'ghp_',
      `${'a'.repeat(40)} `,
      'aws secret ',
    ],
  ])('takes time that is linear in its length: %s', { timeout: 20_000 }, (part) => {
    const startedAt = process.cpuUsage();
    find(repeated(part));
    const { user } = process.cpuUsage(startedAt);
    // 40 µs a character would be 200 times what is usual, and a quadratic pattern takes minutes.
    expect(user).toBeLessThan(2_000_000);
  });
});

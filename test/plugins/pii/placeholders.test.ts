import { describe, expect, it } from 'vitest';
import { Placeholders, placeholderLabels } from '../../../src/plugins/policies/pii/placeholders.ts';
import { oneOf, seeded } from '../../support/personal-data.ts';

const values = [
  ['ada@x.org', 'email'],
  ['bob@y.org', 'email'],
  ['1985-03-12', 'birth-date'],
  ['Dwayne "The Rock"\nJohnson \\', 'person'],
] as const;

function known(): Placeholders {
  const placeholders = new Placeholders(placeholderLabels(['email', 'birth-date', 'person']));
  for (const [value, kind] of values) placeholders.for(value, kind);
  return placeholders;
}

describe('placeholders', () => {
  it('are numbered by first appearance, the same for the same value', () => {
    const placeholders = known();
    expect(values.map(([value, kind]) => placeholders.for(value, kind))).toEqual([
      '<EMAIL_1>',
      '<EMAIL_2>',
      '<BIRTH_DATE_1>',
      '<PERSON_1>',
    ]);
  });

  it('are none that the text contains already', () => {
    const placeholders = new Placeholders(placeholderLabels(['email']));
    placeholders.reserve('The docs say <EMAIL_1> and <email 2>.');
    expect(placeholders.for('ada@x.org', 'email')).toBe('<EMAIL_3>');
    const text = 'The docs say <EMAIL_1>, <email 2>, <EMAIL_3>.';
    expect(placeholders.restore(text, 'text')).toBe(
      'The docs say <EMAIL_1>, <email 2>, ada@x.org.',
    );
  });

  it('are escaped in JSON text', () => {
    const text = '{"who":"<PERSON_1>","and":"\\u003cPERSON_1\\u003e","line":"a\\n<EMAIL_1>"}';
    expect(JSON.parse(known().restore(text, 'json'))).toEqual({
      who: values[3][0],
      and: values[3][0],
      line: 'a\nada@x.org',
    });
  });
});

/** Ways in which models write `<EMAIL_1>`. */
const garbled = [
  ...[
    '<email_1>',
    '<Email_1>',
    '<EMAIL1>',
    '<EMAIL 1>',
    '<EMAIL-1>',
    '< EMAIL_1 >',
    '<email 1>',
    '<EMAIL__1>',
  ],
  ...[
    '<EMAIL\\_1>',
    '\\<EMAIL\\_1\\>',
    '<**EMAIL_1**>',
    '<EMAIL_**1**>',
    '<*EMAIL*_1>',
    '<`EMAIL_1`>',
    '<EMAIL_\n1>',
  ],
  ...[
    '&lt;EMAIL_1&gt;',
    '\\u003cEMAIL_1\\u003e',
    '%3CEMAIL_1%3E',
    '＜EMAIL_1＞',
    '«EMAIL_1»',
    '<EMAIL_1/>',
    '<EMAIL_01>',
  ],
  ...[
    'EMAIL_1',
    'EMAIL\\_1',
    '[EMAIL_1]',
    '[email_1]',
    '<EMAIL_1',
    'EMAIL_1>',
    '<EMAIL: 1>',
    '<EMAIL#1>',
  ],
];

/** What only looks like a placeholder. */
const others = [
  ...[
    'email 1',
    'Email_1',
    'email_1',
    'EMAIL_3',
    '<EMAIL_3>',
    'MY_EMAIL_1',
    'EMAIL_1_OLD',
    '$EMAIL_1',
    'EMAIL_12',
  ],
  ...[
    '<EMAIL>',
    '<EMAIL_>',
    'a/EMAIL_1',
    'EMAIL1',
    '<EMAILS_1>',
    '<b>1</b>',
    'x < EMAIL',
    '<EMAIL_1234567>',
    'E',
    '<',
  ],
];

describe('a placeholder that a model garbled', () => {
  it.each(garbled)('is understood: %s', (placeholder) => {
    const text = `Write to ${placeholder}, today`;
    expect(known().restore(text, 'text')).toBe('Write to ada@x.org, today');
  });

  it.each(['**<EMAIL_1>**', '`EMAIL_1`', '(EMAIL_1)', '"<email_1>"', '[x](mailto:<EMAIL_1>)'])(
    'keeps the marks around it: %s',
    (text) => {
      expect(known().restore(text, 'text')).toBe(text.replace(/<?EMAIL_1>?/i, 'ada@x.org'));
    },
  );

  it('keeps the brackets of a link', () => {
    const text = 'Write to [EMAIL_1](mailto:<EMAIL_1>)';
    expect(known().restore(text, 'text')).toBe('Write to [ada@x.org](mailto:ada@x.org)');
  });

  it.each(others)('is not seen in %s', (text) => {
    expect(known().restore(`is ${text} it`, 'text')).toBe(`is ${text} it`);
  });
});

/** A text of placeholders, parts of them, and what stands around them. */
function randomText(random: () => number): string {
  const pieces = [
    ...garbled,
    ...others,
    ...[
      '<EMAIL_1>',
      '<EMAIL_2>',
      '<BIRTH_DATE_1>',
      '<birth date 1>',
      '<BIRTH\\_DATE\\_1>',
      '<PERSON_1>',
      'PERSON_1',
    ],
    ...[
      '<',
      '[',
      '\\',
      '&',
      '&lt;',
      '>',
      '](',
      ' ',
      '\n',
      '_',
      '**',
      'E',
      'EMAIL_',
      '1',
      '<EMAIL',
      'word',
      '"',
      '😀',
    ],
  ];
  const count = 1 + Math.floor(random() * 8);
  return Array.from({ length: count }, () => oneOf(random, pieces)).join('');
}

describe('a text in pieces', () => {
  it('is restored like the whole text, whatever the cuts are', () => {
    const random = seeded(7);
    const placeholders = known();
    for (let round = 0; round < 2_000; round += 1) {
      const text = randomText(random);
      const format = round % 2 === 0 ? 'text' : 'json';
      const whole = placeholders.restore(text, format);
      const cut = Math.floor(random() * (text.length + 1));
      for (const pieces of [[...text], [text.slice(0, cut), text.slice(cut)]]) {
        const restorer = placeholders.restorer(format);
        const out = pieces.map((piece) => restorer.push(piece)).join('');
        expect(out + restorer.end()).toBe(whole);
      }
    }
  });

  it('is held back by at most 32 characters', () => {
    const random = seeded(8);
    // None of the texts contains its placeholder, so nothing changes their length.
    const placeholders = new Placeholders(
      placeholderLabels(['email', 'birth-date', 'person', 'iban']),
    );
    placeholders.for('GB82WEST12345698765432', 'iban');
    for (let round = 0; round < 500; round += 1) {
      const text = randomText(random);
      const restorer = placeholders.restorer('text');
      let behind = 0;
      for (const character of text) {
        behind += character.length - restorer.push(character).length;
        expect(behind).toBeLessThanOrEqual(32);
      }
      expect(restorer.end()).toHaveLength(behind);
    }
  });

  it('is held back only while it may be a placeholder', () => {
    const restorer = known().restorer('text');
    expect(restorer.push('Dear <EMA')).toBe('Dear ');
    expect(restorer.push('IL_')).toBe('');
    expect(restorer.push('1')).toBe('');
    expect(restorer.push('>, he')).toBe('ada@x.org, he');
    expect(restorer.push(' < 3')).toBe(' < 3');
    expect(restorer.push(`<EMAIL${'_'.repeat(40)}`)).toBe(`<EMAIL${'_'.repeat(40)}`);
    expect(restorer.end()).toBe('');
  });
});

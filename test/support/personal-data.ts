/** Values of personal data that nobody has, with right check digits. Each draws from `random`, which returns 0 to 1. */
type Draw = (random: () => number) => string;

/** A generator of numbers from 0 to 1 that starts from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function below(random: () => number, end: number): number {
  return Math.floor(random() * end);
}

export function oneOf<Item>(random: () => number, items: readonly Item[]): Item {
  return items[below(random, items.length)] as Item;
}

function characters(random: () => number, count: number, from: string): string {
  return Array.from({ length: count }, () => from.charAt(below(random, from.length))).join('');
}

const decimal = '0123456789';
const upper = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const lower = upper.toLowerCase();
const word = decimal + upper + lower;

/** The digit that makes a number right by Luhn's formula: from the right, every second digit is doubled. */
function luhnDigit(payload: string): string {
  const sum = [...payload].reverse().reduce((total, digit, index) => {
    if (index % 2 === 1) return total + Number(digit);
    const doubled = Number(digit) * 2;
    return total + (doubled > 9 ? doubled - 9 : doubled);
  }, 0);
  return String((10 - (sum % 10)) % 10);
}

function grouped(text: string, sizes: readonly number[], separator: string): string {
  let at = 0;
  return sizes
    .map((size) => {
      at += size;
      return text.slice(at - size, at);
    })
    .join(separator);
}

const card: Draw = (random) => {
  const [prefix, length] = oneOf(random, [
    ['4', 16],
    ['51', 16],
    ['2221', 16],
    ['34', 15],
    ['37', 15],
    ['6011', 16],
    ['3530', 16],
    ['36', 14],
    ['62', 16],
  ] as const);
  const payload = prefix + characters(random, length - prefix.length - 1, decimal);
  const digits = payload + luhnDigit(payload);
  const separator = oneOf(random, ['', ' ', '-']);
  const sizes = { 16: [4, 4, 4, 4], 15: [4, 6, 5], 14: [4, 6, 4] }[length];
  return separator === '' ? digits : grouped(digits, sizes, separator);
};

const iban: Draw = (random) => {
  const [country, bban] = oneOf(random, [
    ['DE', characters(random, 18, decimal)],
    ['GB', characters(random, 4, upper) + characters(random, 14, decimal)],
    ['FR', `${characters(random, 10, decimal)}${characters(random, 11, decimal + upper)}07`],
    ['NL', characters(random, 4, upper) + characters(random, 10, decimal)],
    ['NO', characters(random, 11, decimal)],
    ['MT', characters(random, 4, upper) + characters(random, 23, decimal)],
  ] as const);
  const number = [...`${bban}${country}00`].map((each) => Number.parseInt(each, 36)).join('');
  const check = String(98n - (BigInt(number) % 97n)).padStart(2, '0');
  const whole = country + check + bban;
  return random() < 0.5 ? whole : (whole.match(/.{1,4}/g) ?? []).join(' ');
};

const ssn: Draw = (random) => {
  const area = oneOf(random, [1 + below(random, 665), 667 + below(random, 233)]);
  const parts = [area, 1 + below(random, 99), 1 + below(random, 9_999)];
  return parts.map((part, index) => String(part).padStart([3, 2, 4][index] ?? 0, '0')).join('-');
};

const nino: Draw = (random) => {
  const prefix = oneOf(random, ['AB', 'CE', 'JR', 'PW', 'SY', 'WK', 'ZA']);
  const id = `${prefix}${characters(random, 6, decimal)}${characters(random, 1, 'ABCD')}`;
  return random() < 0.5 ? id : grouped(id, [2, 2, 2, 2, 1], ' ');
};

const email: Draw = (random) => {
  const local = characters(random, 1 + below(random, 12), lower + decimal);
  const tag = oneOf(random, ['', '', `.${characters(random, 5, lower)}`, '+news', "-o'neil"]);
  const host = `${characters(random, 1 + below(random, 10), lower)}.${oneOf(random, ['com', 'co.uk', 'museum', 'de'])}`;
  return `${local}${tag}@${host}`;
};

const ip: Draw = (random) => {
  if (random() < 0.7) {
    const octets = [
      20 + below(random, 204),
      below(random, 256),
      below(random, 256),
      below(random, 256),
    ];
    return octets.join('.');
  }
  const groups = Array.from({ length: 8 }, () => characters(random, 4, '0123456789abcdef'));
  return random() < 0.5 ? groups.join(':') : `2001:db8::${groups.slice(0, 3).join(':')}`;
};

const phone: Draw = (random) => {
  const last = (count: number) => characters(random, count, decimal);
  return oneOf(random, [
    `+1 212-555-${last(4)}`,
    `(415) 555-${last(4)}`,
    `+49 30 ${oneOf(random, ['23', '45', '61'])}5${last(5)}`,
    `030 901820${last(2)}`,
    `+44 7700 900${last(3)}`,
    `+33 6 1${last(1)} ${last(2)} ${last(2)} ${last(2)}`,
  ]);
};

const credentials: Draw = (random) =>
  `${characters(random, 6, lower)}:${characters(random, 12, `${word}-_!*`)}`;

const secret: Draw = (random) => {
  const some = (count: number, from = word) => `${characters(random, count - 1, from)}7`;
  return oneOf(random, [
    `sk-proj-${some(48)}`,
    `sk-ant-api03-${some(80)}`,
    `AKIA${characters(random, 15, upper)}7`,
    `ghp_${some(36)}`,
    `github_pat_${some(40)}`,
    `glpat-${some(20)}`,
    `xoxb-${some(12, decimal)}-${some(24)}`,
    `sk_live_${some(24)}`,
    `AIza${some(35)}`,
    `SG.${some(22)}.${some(43)}`,
    `npm_${some(36)}`,
    `hf_${some(34)}`,
    `eyJ${some(20)}.eyJ${some(60)}.${some(43)}`,
    `-----BEGIN RSA PRIVATE KEY-----\n${some(64)}\n${some(40)}\n-----END RSA PRIVATE KEY-----`,
  ]);
};

function germanTaxId(random: () => number): string {
  const digits = [...decimal].sort(() => random() - 0.5);
  // One of nine digits twice.
  const body = ['1', ...digits.filter((digit) => digit !== '1').slice(0, 8)];
  const ten = `${body.join('')}${body[1 + below(random, 8)]}`;
  let product = 10;
  for (const digit of ten) {
    let sum = (Number(digit) + product) % 10;
    if (sum === 0) sum = 10;
    product = (sum * 2) % 11;
  }
  return `${ten}${11 - product === 10 ? 0 : 11 - product}`;
}

const nationalId: Draw = (random) => {
  const number = below(random, 100_000_000);
  const dni = String(number).padStart(8, '0') + 'TRWAGMYFPDXBNJZSQVHLCKE'.charAt(number % 23);
  const nir = `${1 + below(random, 2)}${characters(random, 2, decimal)}0${1 + below(random, 9)}${10 + below(random, 80)}${characters(random, 6, decimal)}`;
  const key = String(97 - Number(BigInt(nir) % 97n)).padStart(2, '0');
  return oneOf(random, [germanTaxId(random), dni, `${nir}${key}`, 'RSSMRA85T10A562S']);
};

const birthDate: Draw = (random) => {
  const [day, month, year] = [
    1 + below(random, 28),
    1 + below(random, 12),
    1930 + below(random, 80),
  ];
  return oneOf(random, [
    `${month}/${day}/${year}`,
    `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`,
    `${day}.${month}.${year}`,
    `${day} March ${year}`,
    `March ${day}, ${year}`,
  ]);
};

/** For each kind: values, and texts that a value `%` is found in. */
export const personalData = {
  email: { draw: email, texts: ['Write to % please.', '{"to":"%"}', 'mailto:%?subject=x', '<%>'] },
  phone: { draw: phone, texts: ['Call me at %.', 'Phone: %', 'my number (%) has changed'] },
  card: { draw: card, texts: ['My card is %.', 'It was paid with %, I think', '{"number":"%"}'] },
  iban: { draw: iban, texts: ['Transfer it to %.', 'IBAN: % (mine)', '"%"'] },
  ip: { draw: ip, texts: ['Requests from % fail', 'client=%', '[%]'] },
  credentials: {
    draw: credentials,
    texts: ['curl https://%@example.com/a', 'postgres://%@db:5432/x'],
  },
  secret: { draw: secret, texts: ['Authorization: Bearer %', 'KEY="%"', 'it is %.'] },
  ssn: { draw: ssn, texts: ['SSN: %', 'It is %.', '{"id":"%"}'] },
  nino: { draw: nino, texts: ['My number is %.', 'NI: %'] },
  'national-id': { draw: nationalId, texts: ['Die Nummer ist %.', 'id=%', '"%"'] },
  'birth-date': {
    draw: birthDate,
    texts: ['She was born on %.', 'Date of birth: %', 'DOB %', 'geboren am %'],
  },
} as const satisfies Readonly<
  Record<string, { readonly draw: Draw; readonly texts: readonly string[] }>
>;

import { type Detector, follows, matches, notInWord } from './detector.ts';

const notBeforeWord = String.raw`(?![\p{L}\p{N}_])(?!\.\d)`;

function idPattern(source: string, flags = 'gu'): RegExp {
  return new RegExp(`${notInWord}(?<!\\d[.-])${source}${notBeforeWord}(?!-\\d)`, flags);
}

const ssn = idPattern(String.raw`\d{3}([- ]?)\d{2}\1\d{4}`);
const ssnWords = /(?:\bssn\b|social\W{0,3}security|\btin\b|tax\W{0,3}id)/i;

/** Social security numbers of the USA. Without hyphens only next to their words. */
export const findSsns: Detector = (text) =>
  matches(text, ssn, (match, start) => {
    const [, area = '', group = '', serial = ''] =
      /^(\d{3})\D?(\d{2})\D?(\d{4})$/.exec(match) ?? [];
    if (follows(text, start, ssnWords)) return true;
    if (area === '000' || area === '666' || area >= '900') return false;
    return match.includes('-') && group !== '00' && serial !== '0000';
  });

const nino = idPattern(
  String.raw`(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][ -]?\d{2}[ -]?\d{2}[ -]?\d{2}[ -]?[A-D]`,
  'giu',
);
const ninoWords = /(?:\bnino?\b|national insurance|\bni number)/i;

/** National insurance numbers of the United Kingdom. In lower case only next to their words. */
export const findNinos: Detector = (text) =>
  matches(
    text,
    nino,
    (match, start) => match === match.toUpperCase() || follows(text, start, ninoWords),
  );

/** The check digit of ISO 7064, mod 11,10. */
function passesMod11(digits: string): boolean {
  let product = 10;
  for (const digit of digits.slice(0, 10)) {
    const sum = (Number(digit) + product) % 10 || 10;
    product = (sum * 2) % 11;
  }
  return (11 - product) % 10 === Number(digits[10]);
}

/** One digit of the first ten occurs twice or three times; the others once or never. */
function hasOneRepeatedDigit(digits: string): boolean {
  const counts = Array.from({ length: 10 }, (_, digit) => digits.split(String(digit)).length - 1);
  return counts.filter((count) => count > 1).length === 1 && Math.max(...counts) <= 3;
}

function isGermanTaxId(match: string): boolean {
  const digits = match.replace(/\D/g, '');
  return passesMod11(digits) && hasOneRepeatedDigit(digits.slice(0, 10));
}

/** The sum of the digits of each product. */
function crossSum(digits: string, weights: readonly number[]): number {
  return weights.reduce((sum, weight, index) => {
    const product = Number(digits[index]) * weight;
    return sum + Math.floor(product / 10) + (product % 10);
  }, 0);
}

/** Area, date of birth, initial, serial number, check digit. */
function isGermanPensionId(match: string): boolean {
  const [, front = '', initial = '', back = ''] =
    /^(\d{8})([A-Z])(\d{3})$/.exec(match.replace(/ /g, '')) ?? [];
  const day = Number(front.slice(2, 4));
  const month = Number(front.slice(4, 6));
  if (day < 1 || day > 81 || month < 1 || month > 12) return false;
  const letter = String(initial.charCodeAt(0) - 64).padStart(2, '0');
  const weights = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
  return crossSum(front + letter + back.slice(0, 2), weights) % 10 === Number(back[2]);
}

/** 97 minus the number modulo 97 is the key; the departments of Corsica count as numbers. */
function isFrenchId(match: string): boolean {
  const id = match.replace(/[ .-]/g, '').toUpperCase();
  const number = id.slice(0, 13).replace('2A', '19').replace('2B', '18');
  return 97n - (BigInt(number) % 97n) === BigInt(id.slice(13));
}

const spanishLetters = 'TRWAGMYFPDXBNJZSQVHLCKE';

function isSpanishId(match: string): boolean {
  const id = match.replace(/[ .-]/g, '').toUpperCase();
  const number = Number(
    id.slice(0, -1).replace(/^[XYZ]/, (letter) => String('XYZ'.indexOf(letter))),
  );
  return spanishLetters[number % 23] === id.at(-1);
}

/** What a character counts at an odd place of an Italian code; letters count like the digit of their index. */
const italianOdd = [
  1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
];

function isItalianCode(match: string): boolean {
  const code = match.replace(/ /g, '').toUpperCase();
  let sum = 0;
  for (let index = 0; index < 15; index += 1) {
    const value = Number.parseInt(code.charAt(index), 36);
    const ordinal = value > 9 ? value - 10 : value;
    sum += index % 2 === 0 ? (italianOdd[ordinal] ?? 0) : ordinal;
  }
  return String.fromCharCode(65 + (sum % 26)) === code.at(-1);
}

const nationalIds: readonly (readonly [RegExp, (match: string) => boolean])[] = [
  [idPattern(String.raw`[1-9]\d(?:\d{9}| \d{3} \d{3} \d{3})`), isGermanTaxId],
  [idPattern(String.raw`\d{2} ?\d{6} ?[A-Z] ?\d{3}`), isGermanPensionId],
  [
    idPattern(
      String.raw`[1-478][ .-]?\d{2}[ .-]?(?:0[1-9]|1[0-2]|[2-9]\d)[ .-]?(?:\d{2}|2[ABab])[ .-]?\d{3}[ .-]?\d{3}[ .-]?\d{2}`,
    ),
    isFrenchId,
  ],
  [
    idPattern(String.raw`(?:[XYZ][ -]?\d{7}|\d{8}|\d{2}\.\d{3}\.\d{3})[ -]?[A-HJ-NP-TV-Z]`, 'giu'),
    isSpanishId,
  ],
  [
    idPattern(
      String.raw`[A-Z]{3} ?[A-Z]{3} ?[\dL-NP-V]{2}[A-EHLMPRST][\dL-NP-V]{2} ?[A-Z][\dL-NP-V]{3}[A-Z]`,
      'giu',
    ),
    isItalianCode,
  ],
];

/** Ids of Germany (tax, pension), France (social security), Spain (DNI, NIE) and Italy, by their check digits. */
export const findNationalIds: Detector = (text) =>
  nationalIds.flatMap(([pattern, isRight]) => matches(text, pattern, isRight));

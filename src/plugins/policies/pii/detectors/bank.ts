import { type Detector, type Found, follows, matches, notInWord } from './detector.ts';

/** Prefixes and lengths of the brands of payment cards. */
const brands = [
  // Visa, Mastercard, American Express, Diners
  /^4(?:\d{12}|\d{15}|\d{18})$/,
  /^(?:5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d{2}|7[01]\d|720)\d{12})$/,
  /^3[47]\d{13}$/,
  /^3(?:0[0-59]\d{11}|[689]\d{12}|[0689]\d{14})$/,
  // Discover, JCB, UnionPay, RuPay, Mir, Troy, Elo
  /^6(?:011|4[4-9]\d|5\d{2})\d{12,15}$/,
  /^(?:35(?:2[89]|[3-8]\d)\d{12,15}|(?:2131|1800)\d{11})$/,
  /^(?:62|81|82|60)\d{14,17}$/,
  /^(?:220[0-5]|9792)\d{12,15}$/,
  // Maestro
  /^(?:50|5[6-9]|6\d)\d{10,17}$/,
];
const cardWords =
  /(?:card|visa|mastercard|maestro|amex|american express|diners|jcb|unionpay|\bcc\b|kreditkarte|carte|tarjeta|carta di)/i;
/** Lengths that only cards have among common numbers. */
const usualLengths = new Set([14, 15, 16]);
const groupShapes = /^(?:4-4-4-[1-4]|4-4-4-4-[1-3]|4-6-[45]|6-13|8-8)$/;

function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = digit * 2 - (digit > 4 ? 9 : 0);
    sum += index % 2 === 0 ? digit : doubled;
  }
  return sum % 10 === 0;
}

function isCard(text: string, match: string, start: number): boolean {
  const digits = match.replace(/\D/g, '');
  if (/^(\d)\1*$/.test(digits) || !passesLuhn(digits)) return false;
  const isNearWord = follows(text, start, cardWords, 64);
  if (isNearWord) return true;
  if (!brands.some((brand) => brand.test(digits))) return false;
  return digits.length === match.length ? usualLengths.has(digits.length) : true;
}

const digitGroups = new RegExp(
  `${notInWord}(?<!\\d\\.)\\d+(?:[ \\u00a0-]\\d+)*(?!\\.?\\d)(?!_)`,
  'gu',
);

/** The cards in numbers that are separated by one space or hyphen. */
function cardsIn(text: string, run: string, from: number): readonly Found[] {
  const groups = [...run.matchAll(/\d+/g)];
  const found: Found[] = [];
  for (let first = 0; first < groups.length; first += 1) {
    const start = groups[first]?.index ?? 0;
    let digits = 0;
    let shape = '';
    for (let last = first; last < groups.length && last < first + 5; last += 1) {
      const group = groups[last];
      if (group === undefined) break;
      digits += group[0].length;
      if (digits > 19) break;
      shape += `${last === first ? '' : '-'}${group[0].length}`;
      if (digits < 12 || (last > first && !groupShapes.test(shape))) continue;
      const end = group.index + group[0].length;
      // The last part of a UUID.
      const isOfUuid = follows(text, from + start, /[0-9a-f]{4}-[0-9a-f]{4}-$/i, 10);
      if (isOfUuid || !isCard(text, run.slice(start, end), from + start)) continue;
      found.push({ start: from + start, end: from + end });
      first = last;
      break;
    }
  }
  return found;
}

/** Payment cards: the digits of a brand, and right by Luhn's formula. */
export const findCards: Detector = (text) =>
  matches(text, digitGroups, (run) => run.length >= 12).flatMap(({ start, end }) =>
    cardsIn(text, text.slice(start, end), start),
  );

/** Lengths of an IBAN by country. */
const ibanLengths: Readonly<Record<string, number>> = Object.fromEntries(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24 FI18 ' +
    'FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 ' +
    'LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 ' +
    'SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30 ' +
    // Countries that use the format without being registered.
    'AO25 BF28 BJ28 CF27 CG27 CI28 CM27 CV25 DZ26 GA27 GQ27 GW25 IR26 KM27 MA28 MG27 ML28 MZ25 NE28 SN28 TD27 TG28'
  )
    .split(' ')
    .map((row) => [row.slice(0, 2), Number(row.slice(2))]),
);

/** The remainder of the check of ISO 7064, mod 97. */
function remainder97(iban: string): number {
  let remainder = 0;
  for (const character of iban.slice(4) + iban.slice(0, 4)) {
    const value = Number.parseInt(character, 36);
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return remainder;
}

const ibanStarts = new RegExp(`${notInWord}[A-Za-z]{2}\\d{2}(?=[ \\u00a0-]?[A-Za-z0-9])`, 'gu');

/** IBANs, with or without spaces. */
export const findIbans: Detector = (text) => {
  const found: Found[] = [];
  for (const { start: index } of matches(text, ibanStarts)) {
    const length = ibanLengths[text.slice(index, index + 2).toUpperCase()];
    if (length === undefined) continue;
    let iban = '';
    let end = index;
    while (iban.length < length && end < text.length) {
      const character = text.charAt(end);
      if (/[A-Za-z0-9]/.test(character)) iban += character;
      else if (!/[ \u00a0-]/.test(character) || !/[A-Za-z0-9]/.test(text.charAt(end + 1))) break;
      end += 1;
    }
    if (iban.length < length || /[\p{L}\p{N}]/u.test(text.charAt(end))) continue;
    if (remainder97(iban.toUpperCase()) === 1) found.push({ start: index, end });
  }
  return found;
};

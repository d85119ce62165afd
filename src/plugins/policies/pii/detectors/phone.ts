import type { CountryCode, PhoneNumber } from 'libphonenumber-js';
import { type Detector, type Found, follows, matches, notInWord } from './detector.ts';

/** The part of `libphonenumber-js/max` that is used here. */
export type PhoneLibrary = {
  parsePhoneNumberFromString(
    text: string,
    options: { readonly defaultCountry?: CountryCode | undefined; readonly extract: false },
  ): PhoneNumber | undefined;
  isSupportedCountry(country: string): country is CountryCode;
};

/**
 * Digits with the marks that are usual between those of a phone number, and an extension. A plus sign or a parenthesis
 * starts a new number.
 */
const candidates = new RegExp(
  `(?:\\+|${notInWord}\\(?)(?<!\\d[.,-])\\(?\\d+(?:(?: ?\\(\\d{1,4}\\) ?|\\) ?|[ \\u00a0.\\-\\u2010-\\u2013/]| - )\\d+)*(?:\\s?(?:x|ext\\.?|#)\\s?\\d{1,6})?(?![\\p{L}_]*\\d)(?!\\.\\d)(?!@)`,
  'giu',
);
const extension = /\s?(?:x|ext\.?|#)\s?\d{1,6}$/i;
const label =
  '(?:tele)?(?:phone|fono?|fon)|tel[eé]fono|t[eé]l(?:[eé]phone)?|mobile?|m[oó]vil|cell(?:ular|ulare)?|fax|desk|handy|rufnummer|whatsapp|sms|portable|contact';
const labelBefore = new RegExp(
  String.raw`(?:(?<!\p{L})(?:${label})(?:[\s_-]?(?:number|num|no|nr|nummer))?\.?["']?(?:\s?(?:is|at|on|[:=#]))?["'\s]{0,4}|my number(?: is)?[\s:]{1,3}|(?:call|text|ring|reach|dial|message|answering|registered)(?: (?:me|us|him|her|them))?(?: back)?(?: (?:at|on|under))?[\s:]{1,3})$`,
  'iu',
);
const labelAfter = /^[\s-]{0,3}\(?(?:office|fax|mobile|cell|phone|work|home)\b/i;

function isDate(text: string): boolean {
  return (
    /^(?:19|20)\d{2}[-./](?:0?[1-9]|1[0-2])[-./](?:0?[1-9]|[12]\d|3[01])(?:$|[\sT-])/.test(text) ||
    /^(?:0?[1-9]|[12]\d|3[01])[-./](?:0?[1-9]|[12]\d|3[01])[-./](?:19|20)\d{2}(?:$|\s)/.test(
      text,
    ) ||
    /^(?:19|20)\d{2}\s?[-\u2013/]\s?(?:19|20)\d{2}$/.test(text)
  );
}

/** Numbers between spaces; more of them are a table. */
const maxWords = 9;

/** Written like a phone number, and not like a row of numbers. */
function isWritten(number: string): boolean {
  return /^\+|\d[-.]\d{3}[-.]\d|\)/.test(number);
}

/** Next to a word such as "phone", any number of a usual length is one. */
function isLabelled(text: string, match: string, start: number): boolean {
  const number = match.replace(extension, '');
  const { length } = number.replace(/\D/g, '');
  if (length < 7 || length > 15 || isDate(number)) return false;
  const end = start + match.length;
  return follows(text, start, labelBefore, 40) || labelAfter.test(text.slice(end, end + 12));
}

/** Numbers of phones that are valid in one of the regions, or written with a country code. */
export function phoneDetector(library: PhoneLibrary, regions: readonly CountryCode[]): Detector {
  const hasAmerican = regions.some((region) => region === 'US' || region === 'CA');

  function isValidIn(number: string, digits: string, region: CountryCode): boolean {
    const phone = library.parsePhoneNumberFromString(number, {
      defaultCountry: region,
      extract: false,
    });
    if (phone?.isValid() !== true) return false;
    // Without the prefix of its country it is any number.
    const national = phone.formatNational().replace(/\D/g, '');
    return !national.startsWith('0') || digits.startsWith('0') || national === digits;
  }

  function isPhone(match: string): boolean {
    const number = match.replace(extension, '');
    const digits = number.replace(/\D/g, '');
    if (digits.length < 7 || digits.length > 17 || isDate(number)) return false;
    if (/^\+|^00[1-9]/.test(number)) {
      const written = number.replace(/\(0\)/, '').replace(/\D/g, '').replace(/^00/, '');
      const phone = library.parsePhoneNumberFromString(`+${written}`, { extract: false });
      return phone?.isValid() === true || (phone?.isPossible() === true && /\d\D+\d/.test(number));
    }
    // The usual way to write an American number; test numbers are not valid.
    if (hasAmerican && /^(?:1[-. ])?(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}$/.test(number))
      return true;
    const groups = number.match(/\d+/g) ?? [];
    if (groups.length > 6 || (groups.length === 1 && !/^0\d{9}/.test(number))) return false;
    if (groups.some((group, index) => group.length === 1 && index > 0)) return false;
    // Thousands, a decimal number, a ZIP code with a further number.
    if (
      /^\d{1,3}(?:[ \u00a0.]\d{3})*[ \u00a0.]000$|^\d{1,3}(?:\.\d{3})+$|^\d+\.\d+$|^[1-9]\d{4}[- ]\d{3,4}$/.test(
        number,
      )
    )
      return false;
    return regions.some((region) => isValidIn(number, digits, region));
  }
  /** The number in a run of digits, which may begin or end with other numbers. */
  function phoneIn(text: string, run: string, start: number): Found | undefined {
    const end = start + run.length;
    if (isPhone(run)) return { start, end };
    const words = run.split(' ');
    for (let dropped = 1; dropped < words.length && words.length <= maxWords; dropped += 1) {
      const first = words.slice(0, -dropped).join(' ');
      if (isWritten(first) && isPhone(first)) return { start, end: start + first.length };
      const last = words.slice(dropped).join(' ');
      if (isWritten(last) && isPhone(last)) return { start: end - last.length, end };
    }
    return isLabelled(text, run, start) ? { start, end } : undefined;
  }

  return (text) =>
    matches(text, candidates).flatMap(
      ({ start, end }) => phoneIn(text, text.slice(start, end), start) ?? [],
    );
}

import type { CountryCode, PhoneNumber } from 'libphonenumber-js';
import { type Detector, follows, matches, notInWord } from './detector.ts';

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
  String.raw`(?:(?<!\p{L})(?:${label})(?:[\s_-]?(?:number|num|no|nr|nummer))?\.?["']?(?:\s?(?:is|at|on|[:=#]))?["'\s]{0,4}|(?:call|text|ring|reach|dial|message|answering|registered)(?: (?:me|us|him|her|them))?(?: back)?(?: (?:at|on|under))?[\s:]{1,3})$`,
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

  function isPhone(text: string, match: string, start: number): boolean {
    const number = match.replace(extension, '');
    const digits = number.replace(/\D/g, '');
    if (digits.length < 7 || digits.length > 17 || isDate(number)) return false;
    const isLabelled =
      follows(text, start, labelBefore, 40) ||
      labelAfter.test(text.slice(start + match.length, start + match.length + 12));
    if (isLabelled && digits.length <= 15) return true;
    if (/^\+|^00[1-9]/.test(number)) {
      const written = number.replace(/\(0\)/, '').replace(/\D/g, '').replace(/^00/, '');
      const phone = library.parsePhoneNumberFromString(`+${written}`, { extract: false });
      return phone?.isValid() === true || (phone?.isPossible() === true && /\d\D+\d/.test(number));
    }
    // The usual way to write an American number; test numbers are not valid.
    if (hasAmerican && /^(?:1[-. ])?(?:\(\d{3}\) ?|\d{3}[-.])\d{3}[-.]\d{4}$/.test(number))
      return true;
    const groups = number.match(/\d+/g) ?? [];
    if (groups.length < 2 || groups.length > 6) return false;
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
  return (text) => matches(text, candidates, (match, start) => isPhone(text, match, start));
}

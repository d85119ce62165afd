import { type Detector, follows, matches } from './detector.ts';

const months =
  '(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|januar|februar|märz|mai|juni|juli|okt|dez|janv|févr|mars|avr|juin|juil|août|déc|ene|abr|ago|dic|gen|mag|giu|lug|set|ott)[\\p{L}.]{0,9}';
const dates = new RegExp(
  [
    String.raw`(?<![\p{L}\p{N}])(?:\d{1,2}([-./ ])\d{1,2}\1\d{2}(?:\d{2})?`,
    String.raw`\d{4}([-./])\d{1,2}\2\d{1,2}`,
    String.raw`\d{1,2}(?:st|nd|rd|th|\.|er|º)?(?: de| of)? ${months}(?: de| del|,)? ?\d{4}`,
    String.raw`${months} \d{1,2}(?:st|nd|rd|th)?,? \d{4}`,
    String.raw`(?:19|20)(?:\d{6}))(?!\p{N})`,
  ].join('|'),
  'giu',
);
const words =
  /(?:\bborn\b|\bd\.?o\.?b\b|birth\W{0,2}da(?:te|y)|(?:date|day) of birth|\bgeb(?:oren|\.)|geburts(?:datum|tag)|date de naissance|\bnée?\b(?: le)?|fecha de nacimiento|\bnacid[oa]\b|data di nascita|\bnat[oa] il\b)[^\d\n]{0,28}\n?[^\d\n]{0,8}$/iu;

/** Dates of birth: a date just after a word that says so. */
export const findBirthDates: Detector = (text) =>
  matches(text, dates, (_, start) => follows(text, start, words, 64));

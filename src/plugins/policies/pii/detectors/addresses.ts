import { isIPv4, isIPv6 } from 'node:net';
import { type Detector, follows, matches } from './detector.ts';

const version4 = /(?<![\p{L}\p{N}_])(?<!\d\.)(?:\d{1,3}\.){3}\d{1,3}(?!\.?\d)(?![\p{L}_])/gu;
const version6 =
  /(?<![\p{L}\p{N}_:.])[0-9a-f:]{2,39}(?:(?<=:)(?:\d{1,3}\.){3}\d{1,3})?(?![\p{L}\p{N}_])/giu;
/** Words before a number that is a version or a section. */
const versionWords =
  /(?:\bv|version|versions|release|build|firmware|driver|sdk|section|chapter|clause|figure|table|§|[<>~^]=?|==|(?<!\/)[a-z]\/)\.?[\s:=/]{0,3}$/i;
const addressWords =
  /(?:\bip\b|\bipv[46]\b|address|host|server|client|peer|from|gateway|dns|ping)/i;
/** A netmask, or the address of every machine: nobody's. */
const common = /^(?:0\.0\.0\.0|127\.0\.0\.1|255\.(?:255|254|252|248|240|224|192|128|0)\.[\d.]+)$/;

function isAddress4(text: string, match: string, start: number): boolean {
  if (!isIPv4(match) || common.test(match) || follows(text, start, versionWords)) return false;
  // Small numbers throughout are more often a version.
  const isSmall = match.split('.').every((each) => Number(each) < 20);
  return !isSmall || follows(text, start, addressWords, 32);
}

function isAddress6(match: string): boolean {
  if (!isIPv6(match)) return false;
  const groups = match.split(':').filter((each) => each !== '');
  if (!match.includes('::')) return true;
  // `ab::cd` is also a name in many languages.
  return /\d/.test(match) && (groups.length >= 3 || /^[0-9a-f]{4}:/i.test(match));
}

/** IP addresses of version 4 and 6. */
export const findIpAddresses: Detector = (text) => [
  ...matches(text, version4, (match, start) => isAddress4(text, match, start)),
  ...matches(text, version6, (match) => match.includes(':') && isAddress6(match)),
];

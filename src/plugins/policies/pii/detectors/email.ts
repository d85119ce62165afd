import { type Detector, type Found, matches } from './detector.ts';

const signs = /@|%40/g;
const local = /[\p{L}\p{N}._%+'&-]/u;
const edge = /[\p{L}\p{N}_+]/u;
const domain = /[\p{L}\p{N}.-]/u;
const maxLocal = 64;
const maxDomain = 253;
const domainShape = /^(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,8}\p{L}{2,24}/u;
/** `icon@2x.png` is the name of an image. */
const imageScale = /^\dx\./;

/** A file that is named for an address. */
const fileType =
  /(\.\p{L}{2,24})\.(?:txt|pdf|docx?|csv|xlsx?|pptx?|png|jpe?g|json|xml|html?|eml|msg|vcf)$/iu;

/** The address around the `@` from `at` to `after`. */
function addressAround(text: string, at: number, after: number): Found | undefined {
  let start = at;
  while (start > 0 && at - start < maxLocal && local.test(text.charAt(start - 1))) start -= 1;
  while (start < at && !edge.test(text.charAt(start))) start += 1;
  if (start === at) return undefined;
  let end = after;
  while (end < text.length && end - after < maxDomain && domain.test(text.charAt(end))) end += 1;
  const host = domainShape.exec(text.slice(after, end))?.[0].replace(fileType, '$1');
  if (host === undefined || imageScale.test(host)) return undefined;
  // The address of a repository, such as git@example.com:team/project.
  if (text.slice(start, at) === 'git' && text[after + host.length] === ':') return undefined;
  return { start, end: after + host.length };
}

/** E-mail addresses, also with the `@` of a URL's query, `%40`. */
export const findEmails: Detector = (text) =>
  matches(text, signs).flatMap(({ start, end }) => addressAround(text, start, end) ?? []);

import { SignalboxError } from '../../../errors.ts';
import { findIpAddresses } from './detectors/addresses.ts';
import { findCards, findIbans } from './detectors/bank.ts';
import { findBirthDates } from './detectors/birth-dates.ts';
import type { Detector } from './detectors/detector.ts';
import { findEmails } from './detectors/email.ts';
import { findNationalIds, findNinos, findSsns } from './detectors/national-ids.ts';
import { type PhoneLibrary, phoneDetector } from './detectors/phone.ts';
import { findCredentials, findSecrets } from './detectors/secrets.ts';

/** A part of a text that is personal data. `end` is the index after its last character. */
export type PiiSpan = { readonly kind: string; readonly start: number; readonly end: number };

/** The detectors without settings. Of two that find the same characters, the first wins. */
const detectors = {
  secret: findSecrets,
  credentials: findCredentials,
  email: findEmails,
  iban: findIbans,
  'national-id': findNationalIds,
  card: findCards,
  ssn: findSsns,
  nino: findNinos,
  ip: findIpAddresses,
  'birth-date': findBirthDates,
} as const satisfies Readonly<Record<string, Detector>>;

/** A kind of personal data that is found without a function of the user. */
export type PiiKind = keyof typeof detectors | 'phone';

/** All kinds, in the order in which they win. */
export const piiKinds: readonly PiiKind[] = [
  ...(Object.keys(detectors) as (keyof typeof detectors)[]),
  'phone',
];

/** @throws SignalboxError `config` when the package is not installed */
function loadPhoneLibrary(): PhoneLibrary {
  try {
    const { createRequire } = process.getBuiltinModule('node:module');
    return createRequire(import.meta.url)('libphonenumber-js/max');
  } catch (cause) {
    const message =
      'redactPii() needs the package "libphonenumber-js" for the kind "phone": run npm install libphonenumber-js, or leave "phone" out of kinds';
    throw new SignalboxError('config', message, { cause });
  }
}

/** @throws SignalboxError `config` for a region that has no phone numbers */
function phones(regions: readonly string[]): Detector {
  const library = loadPhoneLibrary();
  const known = regions.map((region, index) => {
    if (library.isSupportedCountry(region)) return region;
    throw new SignalboxError(
      'config',
      `redactPii().regions[${index}]: must be a country code of two capital letters, such as "DE"`,
    );
  });
  return phoneDetector(library, known);
}

/** Where `label` names what the text is, it is read as a word before it. */
type Find = (text: string, label?: string) => readonly PiiSpan[];

/** `phoneNumber`, `phone_number` → `phone number`. */
function wordsOf(label: string): string {
  return label
    .slice(0, 64)
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .replace(/[_-]+/g, ' ');
}

/** Of spans that overlap, keeps that of the detector that comes first. */
function withoutOverlaps(spans: readonly PiiSpan[]): readonly PiiSpan[] {
  if (spans.length < 2) return spans;
  const taken = spans.map((span, rank) => ({ span, rank }));
  taken.sort((a, b) => a.span.start - b.span.start || a.rank - b.rank);
  const kept: { readonly span: PiiSpan; readonly rank: number }[] = [];
  for (const each of taken) {
    const last = kept.at(-1);
    if (last === undefined || each.span.start >= last.span.end) kept.push(each);
    else if (each.rank < last.rank) kept[kept.length - 1] = each;
  }
  return kept.map(({ span }) => span);
}

/**
 * Makes a function that finds what the detectors of `kinds` find.
 * @throws SignalboxError `config`
 */
export function piiFinder(kinds: readonly PiiKind[], regions: readonly string[]): Find {
  const chosen = piiKinds
    .filter((kind) => kinds.includes(kind))
    .map((kind) => ({ kind, find: kind === 'phone' ? phones(regions) : detectors[kind] }));
  return (text, label) => {
    const before = label === undefined ? '' : `${wordsOf(label)}: `;
    const whole = before + text;
    const spans = chosen.flatMap(({ kind, find }) =>
      find(whole).map(({ start, end }) => ({ kind, start, end })),
    );
    const offset = before.length;
    return withoutOverlaps(spans)
      .filter(({ start }) => start >= offset)
      .map(({ kind, start, end }) => ({ kind, start: start - offset, end: end - offset }));
  };
}

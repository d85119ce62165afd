import type { Tags } from '../protocol/completion.ts';
import type { NormalMessage } from '../protocol/message.ts';
import type { Capability } from '../protocol/provider.ts';
import type { RuleConditions, Weekday } from '../protocol/rule-conditions.ts';

/** Where patterns are searched: of a longer text only the beginning, so that a decision takes no time. */
const searchedCharacters = 8_000;

const minutesPerDay = 1_440;
const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const satisfies Weekday[];
/** As `Intl` writes them, in the same order. */
const shortNames: readonly string[] = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'];
const minutesPerWeek = weekdays.length * minutesPerDay;

/** What the rules ask of a call. Functions where an answer takes time, because few rules ask. */
export type RuleFacts = {
  /** The tier that the call was made to. */
  readonly tier: string;
  readonly tags: Tags;
  /** What the request needs: tools, images and so on. */
  readonly capabilities: ReadonlySet<Capability>;
  readonly inputTokens: () => number;
  /** See {@link userTextOf}. */
  readonly userText: () => string;
  /** Epoch milliseconds. */
  readonly now: number;
};

/** Whether a text has a match. */
export type Pattern = (text: string) => boolean;

type Condition = (facts: RuleFacts) => boolean;

/** The conditions that ask whether a request has something. */
const presence = {
  tools: 'tools',
  images: 'vision',
  files: 'files',
  schema: 'structured-output',
} as const satisfies Partial<Record<keyof RuleConditions, Capability>>;

const presenceKeys = [
  'tools',
  'images',
  'files',
  'schema',
] as const satisfies readonly (keyof typeof presence)[];

/** The user's text, as far as patterns are searched in it. */
export function userTextOf(messages: readonly NormalMessage[]): string {
  let text = '';
  for (const { role, content } of messages) {
    if (role !== 'user') continue;
    for (const part of content) {
      if (part.type !== 'text') continue;
      text += text === '' ? part.text : `\n${part.text}`;
      if (text.length >= searchedCharacters) return text.slice(0, searchedCharacters);
    }
  }
  return text;
}

/** Minutes since midnight of both ends of `HH:MM-HH:MM`; `undefined` for anything else. */
function minutesOf(hours: string): readonly [from: number, to: number] | undefined {
  const [, ...parts] = /^(\d\d):(\d\d)-(\d\d):(\d\d)$/.exec(hours) ?? [];
  const [fromHour = 99, fromMinute = 99, toHour = 99, toMinute = 99] = parts.map(Number);
  const [from, to] = [fromHour * 60 + fromMinute, toHour * 60 + toMinute];
  const isTime = fromMinute < 60 && toMinute < 60 && from < minutesPerDay && to <= minutesPerDay;
  return isTime && from !== to ? [from, to] : undefined;
}

export function isHours(hours: string): boolean {
  return minutesOf(hours) !== undefined;
}

export function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }) !== undefined;
  } catch {
    return false;
  }
}

/** The minutes of the week, from Monday on, in which the rule applies: 1 for each. `undefined` when it always does. */
function weekOf({ hours, weekdays: days }: RuleConditions): Uint8Array | undefined {
  if (hours === undefined && days === undefined) return undefined;
  const [from, to] = minutesOf(hours ?? '00:00-24:00') ?? [0, minutesPerDay];
  const length = to > from ? to - from : to - from + minutesPerDay;
  const week = new Uint8Array(minutesPerWeek);
  for (const day of days ?? weekdays) {
    const start = weekdays.indexOf(day) * minutesPerDay + from;
    // The end of a night is on the next day, that of a Sunday on Monday.
    for (let at = start; at < start + length; at++) week[at % minutesPerWeek] = 1;
  }
  return week;
}

/** The local minute of the week at a time, from Monday on. */
function createWeekClock(timeZone: string): (now: number) => number {
  let format: Intl.DateTimeFormat | undefined;
  /** The latest minute, because calls come close together. All offsets are whole minutes. */
  let lastMinute = Number.NaN;
  let last = 0;
  return (now) => {
    const minute = Math.floor(now / 60_000);
    if (minute === lastMinute) return last;
    format ??= new Intl.DateTimeFormat('en-US', {
      timeZone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    const parts = new Map(format.formatToParts(now).map(({ type, value }) => [type, value]));
    const day = shortNames.indexOf(parts.get('weekday') ?? '');
    last = day * minutesPerDay + Number(parts.get('hour')) * 60 + Number(parts.get('minute'));
    lastMinute = minute;
    return last;
  };
}

/** The conditions of a rule as one function. `pattern` is its `matches`, compiled. */
export function conditionOf(when: RuleConditions, pattern: Pattern | undefined): Condition {
  const { tiers, tags = {}, inputTokens, timeZone = 'UTC' } = when;
  const conditions: Condition[] = [];
  if (tiers !== undefined) conditions.push(({ tier }) => tiers.includes(tier));
  for (const [name, value] of Object.entries(tags)) {
    if (value !== undefined) conditions.push((facts) => facts.tags[name] === value);
  }
  for (const key of presenceKeys) {
    const wanted = when[key];
    if (wanted === undefined) continue;
    conditions.push(({ capabilities }) => capabilities.has(presence[key]) === wanted);
  }
  const week = weekOf(when);
  if (week !== undefined) {
    const minuteAt = createWeekClock(timeZone);
    conditions.push(({ now }) => week[minuteAt(now)] === 1);
  }
  if (inputTokens !== undefined) {
    const { above = -1, below = Number.POSITIVE_INFINITY } = inputTokens;
    conditions.push((facts) => facts.inputTokens() > above && facts.inputTokens() < below);
  }
  if (pattern !== undefined) conditions.push((facts) => pattern(facts.userText()));
  return (facts) => conditions.every((holds) => holds(facts));
}

/** Whether each call that meets the conditions is made to one of those tiers. */
function tiersImply(
  { tiers: own }: RuleConditions,
  { tiers: other }: RuleConditions,
  all: readonly string[],
): boolean {
  if (other === undefined) return true;
  const named = new Set(other);
  return (own ?? all).every((tier) => named.has(tier));
}

function tagsImply({ tags: own = {} }: RuleConditions, { tags: other = {} }: RuleConditions) {
  return Object.entries(other).every(
    ([name, value]) => value === undefined || (Object.hasOwn(own, name) && own[name] === value),
  );
}

function tokensImply({ inputTokens: own }: RuleConditions, { inputTokens: other }: RuleConditions) {
  const most = Number.POSITIVE_INFINITY;
  return (
    (own?.above ?? -1) >= (other?.above ?? -1) && (own?.below ?? most) <= (other?.below ?? most)
  );
}

function timesImply(own: RuleConditions, other: RuleConditions): boolean {
  const [ownWeek, otherWeek] = [weekOf(own), weekOf(other)];
  if (otherWeek === undefined || otherWeek.every((minute) => minute === 1)) return true;
  // The same hours of two zones are other times, and shift by the season.
  if ((own.timeZone ?? 'UTC') !== (other.timeZone ?? 'UTC')) return false;
  return ownWeek?.every((minute, at) => minute <= (otherWeek[at] ?? 0)) === true;
}

/** Whether every call that meets the first conditions meets the second. `tiers` are all that there are. */
export function implies(
  own: RuleConditions,
  other: RuleConditions,
  tiers: readonly string[],
): boolean {
  return (
    tiersImply(own, other, tiers) &&
    tagsImply(own, other) &&
    tokensImply(own, other) &&
    presenceKeys.every((key) => other[key] === undefined || own[key] === other[key]) &&
    (other.matches === undefined || own.matches === other.matches) &&
    timesImply(own, other)
  );
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RuleConditions, Weekday } from '../../src/protocol/rule-conditions.ts';
import {
  conditionOf,
  implies,
  isHours,
  isTimeZone,
  type RuleFacts,
  userTextOf,
} from '../../src/routing/rules.ts';

const facts: RuleFacts = {
  tier: 'fast',
  tags: {},
  capabilities: new Set(),
  inputTokens: () => 100,
  userText: () => 'hi',
  now: Date.UTC(2026, 10, 30, 12),
};

function matches(when: RuleConditions, given: Partial<RuleFacts> = {}): boolean {
  return conditionOf(
    when,
    when.matches === undefined ? undefined : (text) => text === when.matches,
  )({ ...facts, ...given });
}

const days = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const satisfies Weekday[];
const tiers = ['fast', 'smart'];

describe('the conditions of a rule', () => {
  it('match every call when there are none', () => {
    expect(matches({})).toBe(true);
    expect(matches({ tags: {} })).toBe(true);
  });

  it('must all hold', () => {
    const when: RuleConditions = { tags: { plan: 'free' }, inputTokens: { above: 50 } };
    expect(matches(when, { tags: { plan: 'free', user: 'u' } })).toBe(true);
    expect(matches(when, { tags: { plan: 'paid' } })).toBe(false);
    expect(matches(when, { tags: { plan: 'free' }, inputTokens: () => 50 })).toBe(false);
  });

  it('are about the tier that the call was made to', () => {
    expect(matches({ tiers: ['smart', 'fast'] })).toBe(true);
    expect(matches({ tiers: ['smart'] })).toBe(false);
  });

  it('exclude both bounds of the tokens', () => {
    const of = (tokens: number) =>
      matches({ inputTokens: { above: 10, below: 20 } }, { inputTokens: () => tokens });
    expect([10, 11, 19, 20].map(of)).toEqual([false, true, true, false]);
  });

  it.each([
    ['tools', 'tools'],
    ['images', 'vision'],
    ['files', 'files'],
    ['schema', 'structured-output'],
  ] as const)('ask whether there are %s, or none', (key, capability) => {
    const capabilities = new Set([capability]);
    expect(matches({ [key]: true }, { capabilities })).toBe(true);
    expect(matches({ [key]: false }, { capabilities })).toBe(false);
    expect(matches({ [key]: true })).toBe(false);
    expect(matches({ [key]: false })).toBe(true);
  });

  it('do not count tokens and read no text unless they are about them', () => {
    const never = () => {
      throw new Error('asked');
    };
    expect(matches({ tags: {} }, { inputTokens: never, userText: never })).toBe(true);
  });
});

describe('hours and weekdays', () => {
  const at = (text: string) => ({ now: Date.parse(text) });

  it('include the first minute and exclude the last', () => {
    const when: RuleConditions = { hours: '08:00-18:00' };
    expect(matches(when, at('2026-11-30T07:59:59Z'))).toBe(false);
    expect(matches(when, at('2026-11-30T08:00:00Z'))).toBe(true);
    expect(matches(when, at('2026-11-30T17:59:59Z'))).toBe(true);
    expect(matches(when, at('2026-11-30T18:00:00Z'))).toBe(false);
  });

  it('go over midnight, and a night belongs to the day on which it begins', () => {
    const when: RuleConditions = { hours: '22:00-06:00', weekdays: ['sun'] };
    // 29 November 2026 is a Sunday.
    expect(matches(when, at('2026-11-29T01:00:00Z'))).toBe(false);
    expect(matches(when, at('2026-11-29T22:00:00Z'))).toBe(true);
    expect(matches(when, at('2026-11-30T05:59:00Z'))).toBe(true);
    expect(matches(when, at('2026-11-30T06:00:00Z'))).toBe(false);
    expect(matches(when, at('2026-11-30T22:00:00Z'))).toBe(false);
  });

  it('are those of the named zone, before and after the clock changes', () => {
    const when: RuleConditions = { hours: '09:00-10:00', timeZone: 'Europe/Berlin' };
    // Berlin is at +02:00 until 25 October 2026, 01:00 UTC, then at +01:00.
    expect(matches(when, at('2026-10-24T07:30:00Z'))).toBe(true);
    expect(matches(when, at('2026-10-25T07:30:00Z'))).toBe(false);
    expect(matches(when, at('2026-10-25T08:30:00Z'))).toBe(true);
  });

  it('hold twice in an hour that is repeated, and never in one that is skipped', () => {
    const when: RuleConditions = { hours: '02:00-03:00', timeZone: 'Europe/Berlin' };
    const minutesOn = (day: string) =>
      Array.from({ length: 24 * 60 }, (_, minute) => Date.parse(day) + minute * 60_000).filter(
        (now) => matches(when, { now }),
      ).length;
    expect(minutesOn('2026-10-24T22:00:00Z')).toBe(120);
    expect(minutesOn('2026-03-28T23:00:00Z')).toBe(0);
  });

  it('agree with the wall clock of any zone at any time', () => {
    const zones = ['UTC', 'Europe/Berlin', 'America/St_Johns', 'Asia/Kathmandu', 'Pacific/Chatham'];
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.integer({ min: Date.UTC(2025, 0, 1), max: Date.UTC(2028, 0, 1) }),
        fc.subarray([...days], { minLength: 1 }),
        fc.integer({ min: 0, max: 1_439 }),
        fc.integer({ min: 1, max: 1_440 }),
        (timeZone, now, weekdays, from, to) => {
          fc.pre(from !== to);
          const shown = (minute: number) =>
            `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
          const hours = `${shown(from)}-${shown(to)}`;
          // In Swedish, a local time is written as an ISO date.
          const local = new Date(now).toLocaleString('sv', { timeZone });
          const wall = new Date(`${local.replace(' ', 'T')}Z`);
          const minute = wall.getUTCHours() * 60 + wall.getUTCMinutes();
          const today = days[(wall.getUTCDay() + 6) % 7] ?? 'mon';
          const yesterday = days[(wall.getUTCDay() + 5) % 7] ?? 'mon';
          const isToday = minute >= from && (minute < to || to < from) && weekdays.includes(today);
          const isNight = to < from && minute < to && weekdays.includes(yesterday);
          expect(matches({ timeZone, weekdays, hours }, { now })).toBe(isToday || isNight);
        },
      ),
    );
  });

  it.each(['24:00-06:00', '08:60-09:00', '8:00-18:00', '08:00-08:00', '08:00', '08:00-24:01'])(
    'reject the hours %s',
    (hours) => expect(isHours(hours)).toBe(false),
  );

  it('end at midnight as 24:00 or 00:00', () => {
    expect(isHours('18:00-24:00')).toBe(true);
    expect(isHours('18:00-00:00')).toBe(true);
    expect(matches({ hours: '18:00-00:00' }, at('2026-11-30T23:59:00Z'))).toBe(true);
  });

  it('know the time zones of the system', () => {
    expect(isTimeZone('Europe/Berlin')).toBe(true);
    expect(isTimeZone('Europe/Berln')).toBe(false);
  });
});

describe('the text that patterns are searched in', () => {
  const text = (length: number) => ({ type: 'text', text: 'x'.repeat(length) }) as const;

  it("is the user's, and no more than 8,000 characters of it", () => {
    const messages = [
      { role: 'system', content: [{ type: 'text', text: 'secret' }] },
      { role: 'user', content: [{ type: 'text', text: 'one' }] },
      { role: 'assistant', content: [{ type: 'text', text: 'answer' }] },
      { role: 'user', content: [{ type: 'text', text: 'two' }, text(9_000)] },
      { role: 'user', content: [{ type: 'text', text: 'three' }] },
    ] as const;
    const read = userTextOf(messages);
    expect(read.startsWith('one\ntwo\nx')).toBe(true);
    expect(read).toHaveLength(8_000);
  });
});

const conditions: fc.Arbitrary<RuleConditions> = fc.record(
  {
    tiers: fc.subarray(tiers, { minLength: 1 }),
    tags: fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('1', '2'), { maxKeys: 2 }),
    inputTokens: fc.record(
      { above: fc.integer({ min: 0, max: 3 }), below: fc.integer({ min: 1, max: 5 }) },
      { requiredKeys: [] },
    ),
    tools: fc.boolean(),
    matches: fc.constantFrom('x', 'y'),
    hours: fc.constantFrom('00:00-12:00', '06:00-18:00', '22:00-06:00', '00:00-24:00'),
    weekdays: fc.subarray([...days], { minLength: 1 }),
    timeZone: fc.constantFrom('UTC', 'Asia/Tokyo'),
  },
  { requiredKeys: [] },
);

const anyFacts: fc.Arbitrary<RuleFacts> = fc.record({
  tier: fc.constantFrom(...tiers),
  tags: fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('1', '2'), { maxKeys: 2 }),
  capabilities: fc.constantFrom(new Set<never>(), new Set(['tools'] as const)),
  inputTokens: fc.integer({ min: 0, max: 6 }).map((tokens) => () => tokens),
  userText: fc.constantFrom('x', 'y').map((text) => () => text),
  now: fc.integer({ min: 0, max: 7 * 86_400_000 }),
});

describe('a rule implied by an earlier one', () => {
  it('never matches a call that the earlier one does not', () => {
    let implied = 0;
    fc.assert(
      fc.property(conditions, conditions, fc.boolean(), anyFacts, (any, other, isBoth, given) => {
        // Two independent conditions rarely imply each other.
        const own = isBoth ? { ...any, ...other } : any;
        if (!implies(own, other, tiers)) return;
        implied += 1;
        if (matches(own, given)) expect(matches(other, given)).toBe(true);
      }),
      { numRuns: 5_000 },
    );
    expect(implied).toBeGreaterThan(1_000);
  });

  it.each<[string, RuleConditions, RuleConditions]>([
    ['the same', { tools: true }, { tools: true }],
    ['no conditions', { tools: true }, {}],
    ['all tiers', {}, { tiers: ['smart', 'fast'] }],
    ['fewer tags', { tags: { a: '1', b: '2' } }, { tags: { a: '1' } }],
    ['a wider range', { inputTokens: { above: 9 } }, { inputTokens: { above: 5 } }],
    ['longer hours', { hours: '09:00-10:00', weekdays: ['mon'] }, { hours: '08:00-18:00' }],
    ['the whole week of another zone', { timeZone: 'Asia/Tokyo' }, { hours: '00:00-24:00' }],
  ])('is found: %s', (_, own, other) => expect(implies(own, other, tiers)).toBe(true));

  it.each<[string, RuleConditions, RuleConditions]>([
    ['a condition more', {}, { tools: true }],
    ['the opposite', { tools: false }, { tools: true }],
    [
      'hours of another zone',
      { hours: '09:00-10:00', timeZone: 'Asia/Tokyo' },
      { hours: '09:00-10:00' },
    ],
    ['another pattern', { matches: 'a' }, { matches: 'b' }],
  ])('is not found: %s', (_, own, other) => expect(implies(own, other, tiers)).toBe(false));
});

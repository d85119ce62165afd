import { encodedTexts, hiddenSigns } from './hidden-text.ts';
import { type Level, type Rule, rulesByFirstWord, type TextSource } from './rules.ts';
import { continues, type Words, wordsOf } from './words.ts';

/** A sign of an injection. */
type InjectionSign = { readonly rule: string; readonly level: Level };

export type InjectionScore = {
  /** 0 without a sign. A strong sign counts 1, a medium one 0.75, a weak one 0.25; all weak ones together at most 0.5. */
  readonly score: number;
  /** Each rule once, the strongest first. */
  readonly signs: readonly InjectionSign[];
};

export const levelPoints: Readonly<Record<Level, number>> = { strong: 1, medium: 0.75, weak: 0.25 };
const maxWeakPoints = 0.5;

/** Signs that are further apart, in words, are not added up: a long text has some of everything. */
const windowWords = 400;

type Sign = InjectionSign & { readonly at: number };

function lower(level: Level): Level | undefined {
  if (level === 'strong') return 'medium';
  return level === 'medium' ? 'weak' : undefined;
}

const wordSet = (words: string) => new Set(words.split(/\s+/));

/** What may stand before an order: `please`, `you must`, `I want you to`. */
const beforeOrders =
  wordSet(`please now so just then you must should shall will are to need have i want would like and but
  also first kindly can could ok okay hey hi hello assistant ai chatgpt gpt claude model bot dear im me let lets well stop
  important note from on do before that this great nevermind it is your task instruction order command urgent attention we the user system everyone that
  bitte jetzt du sie ihr musst sollst und por favor ahora y debes maintenant tu dois vous devez et s il te vous plait ora e
  per favore agora sada`);
const maxBeforeOrders = 10;

/** Before these words, an order follows wherever it stands. */
const orderAfter = wordSet(
  'please must should will and then now just you lets can shall could dont not und et y e ali',
);

/** A sentence that begins like this asks or reports. */
const asking =
  wordSet(`what whats why how when where who which does do did is are was were should explain describe define
  discuss compare difference if wie was warum wann comment pourquoi quand como por cual perche`);
const askingPairs = wordSet('can_i can_we could_i may_i should_i can_someone can_a is_it can_an');

/** A sentence that has one of these before the words talks about them. */
const talking =
  wordSet(`phrase phrases phrasing sentence sentences meaning means attack attacks attacker attackers
  injection injections example examples detect prevent defend quote quotes called title says saying essay article lyrics
  keyword keywords word expression idiom`);

/** Whether an order begins here: at the start of a clause, or after a word that leads to one. */
function isOrderAt(words: Words, at: number): boolean {
  const { list } = words;
  const start = words.clauses[at] ?? at;
  const before = list[at - 1];
  if (at > start && before !== undefined && orderAfter.has(before)) return true;
  const twoBefore = list[at - 2] ?? '';
  if (before === 'to' && ['you', 'have', 'need'].includes(twoBefore)) return true;
  if (at - start > maxBeforeOrders) return false;
  return list.slice(start, at).every((word) => beforeOrders.has(word));
}

/** Whether the sentence asks about the words at this place, or reports them. */
function isTalkedAbout({ list, sentences }: Words, at: number): boolean {
  const start = sentences[at] ?? at;
  const sentence = list.slice(Math.max(start, at - windowWords / 10), at);
  const first = list[start] ?? '';
  if (at > start && asking.has(first) && list[start + 1] !== 'not') return true;
  if (at > start && askingPairs.has(`${first}_${list[start + 1] ?? ''}`)) return true;
  return sentence.some((word) => talking.has(word));
}

/** The level of a rule whose words were found here. */
function levelAt(rule: Rule, words: Words, at: number, source: TextSource): Level | undefined {
  let level: Level | undefined = rule.level;
  if (rule.isOrder === true && !isOrderAt(words, at)) level = lower(level);
  if (level !== undefined && rule.asks !== true && isTalkedAbout(words, at)) level = lower(level);
  // A user may quote an attack. A tool or a document has no reason to, and an attack may hide in quotation marks.
  const isQuoted = source === 'user' && words.quoted[at] === true;
  return level !== undefined && isQuoted ? lower(level) : level;
}

function wordSigns(text: string, source: TextSource): { signs: readonly Sign[]; count: number } {
  const words = wordsOf(text);
  const signs: Sign[] = [];
  words.list.forEach((word, at) => {
    for (const [rule, pattern] of rulesByFirstWord.get(word) ?? []) {
      if (rule.only !== undefined && rule.only !== source) continue;
      if (!continues(words.list, at, pattern)) continue;
      const level = levelAt(rule, words, at, source);
      if (level !== undefined) signs.push({ rule: rule.name, level, at });
    }
  });
  return { signs, count: words.list.length };
}

/** What is encoded in the text, if it is instructions. */
function encodedSigns(text: string): readonly Omit<Sign, 'level'>[] {
  return encodedTexts(text).flatMap(({ text: plain, at }) => {
    const isOrder = wordSigns(plain, 'untrusted').signs.some(({ level }) => level !== 'weak');
    return isOrder ? [{ rule: 'encoded-instructions', at }] : [];
  });
}

/** The strongest sign of each rule. */
function strongest(signs: readonly Sign[]): ReadonlyMap<string, Level> {
  const levels = new Map<string, Level>();
  for (const { rule, level } of signs) {
    const known = levels.get(rule);
    if (known === undefined || levelPoints[level] > levelPoints[known]) levels.set(rule, level);
  }
  return levels;
}

function scoreOf(levels: ReadonlyMap<string, Level>): number {
  let weak = 0;
  let score = 0;
  for (const level of levels.values()) {
    if (level === 'weak') weak += levelPoints.weak;
    else score += levelPoints[level];
  }
  return score + Math.min(weak, maxWeakPoints);
}

/** Looks for signs of an injection in a text, in a time that grows with its length only. */
export function injectionScore(text: string, source: TextSource): InjectionScore {
  const { signs: found, count } = wordSigns(text, source);
  // Positions in characters become positions in words, roughly.
  const wordsPerCharacter = count / Math.max(text.length, 1);
  const others = [
    ...hiddenSigns(text, source),
    ...encodedSigns(text).map((sign) => ({ ...sign, level: 'strong' as const })),
  ].map((sign) => ({ ...sign, at: sign.at * wordsPerCharacter }));
  const signs = [...found, ...others].sort((a, b) => a.at - b.at);
  let best: ReadonlyMap<string, Level> = new Map();
  // Windows overlap by half, so that neighbours meet in one of them.
  const step = windowWords / 2;
  for (let from = 0, first = 0; first < signs.length; from += step) {
    const next = signs[first];
    if (next !== undefined && next.at >= from + step) from = Math.floor(next.at / step) * step;
    let last = first;
    while (last < signs.length && (signs[last]?.at ?? 0) < from + windowWords) last += 1;
    const levels = strongest(signs.slice(first, last));
    if (scoreOf(levels) > scoreOf(best)) best = levels;
    while (first < signs.length && (signs[first]?.at ?? 0) < from + step) first += 1;
  }
  const sorted = [...best].sort(([, a], [, b]) => levelPoints[b] - levelPoints[a]);
  return { score: scoreOf(best), signs: sorted.map(([rule, level]) => ({ rule, level })) };
}

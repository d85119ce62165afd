import { SignalboxError } from '../../../errors.ts';
import { closest } from '../../../internal/closest.ts';
import { quoted } from '../../../internal/quoted.ts';
import type { Plugin, PluginCall, PluginRequest } from '../../../protocol/plugin.ts';
import { type PiiKind, type PiiSpan, piiFinder, piiKinds } from './find-pii.ts';
import { maxKindLength, Placeholders, placeholderLabels } from './placeholders.ts';
import { mapTexts } from './request-texts.ts';
import { restoredParts } from './restored-parts.ts';

/** Options of {@link redactPii}. */
export type RedactPiiOptions = {
  /**
   * Countries whose phone numbers are found without a country code, such as `['US', 'DE']`. More countries find more
   * numbers, and take more other numbers for one. Numbers with a country code are always found.
   */
  readonly regions: readonly string[];
  /** The kinds of data to replace. @default all */
  readonly kinds?: readonly PiiKind[] | undefined;
  /**
   * Finds what has no fixed shape, such as names and addresses. Called with each text of a request; `start` and `end` are
   * indices of characters.
   */
  readonly detect?:
    | ((text: string) => readonly PiiSpan[] | Promise<readonly PiiSpan[]>)
    | undefined;
  /** More kinds, each with a pattern. Use patterns that take linear time. */
  readonly custom?: Readonly<Record<string, RegExp>> | undefined;
  /** Puts the values back into answers. @default true */
  readonly restore?: boolean | undefined;
  /** @default 'pii' */
  readonly name?: string | undefined;
  /** Sends the request as it is if the plugin fails, for example because `detect` throws. @default false */
  readonly failOpen?: boolean | undefined;
  /** Tiers whose calls are not redacted, such as one of a model on your own machine. */
  readonly exceptTiers?: readonly string[] | undefined;
};

const optionNames = [
  'regions',
  'kinds',
  'detect',
  'custom',
  'restore',
  'name',
  'failOpen',
  'exceptTiers',
] as const satisfies readonly (keyof RedactPiiOptions)[];

const kindPattern = /^[A-Za-z]+(?:[-_][A-Za-z]+)*$/;

function wrong(path: string, problem: string): SignalboxError {
  return new SignalboxError('config', `redactPii()${path}: ${problem}`);
}

function checkKind(kind: unknown, path: string): string {
  if (typeof kind === 'string' && kindPattern.test(kind) && kind.length <= maxKindLength)
    return kind;
  throw wrong(path, `a kind must be letters and hyphens, at most ${maxKindLength} characters`);
}

/** @throws SignalboxError `config` */
function checkOptions(options: RedactPiiOptions): void {
  if (typeof options !== 'object' || options === null) throw wrong('', 'must get an object');
  for (const name of Object.keys(options)) {
    if ((optionNames as readonly string[]).includes(name)) continue;
    const hint = closest(name, optionNames);
    throw wrong(
      '',
      `unknown option ${quoted(name)}${hint === undefined ? '' : `; did you mean "${hint}"?`}`,
    );
  }
  const { regions, kinds = piiKinds, detect, custom = {}, restore = true } = options;
  if (!Array.isArray(regions))
    throw wrong('.regions', 'must be a list of country codes, such as ["US"]');
  if (!Array.isArray(kinds)) throw wrong('.kinds', 'must be a list');
  for (const [index, kind] of kinds.entries()) {
    if (piiKinds.includes(kind)) continue;
    const known = piiKinds.join(', ');
    throw wrong(`.kinds[${index}]`, `there is no kind ${quoted(kind)}; the kinds are ${known}`);
  }
  if (detect !== undefined && typeof detect !== 'function')
    throw wrong('.detect', 'must be a function');
  if (typeof restore !== 'boolean') throw wrong('.restore', 'must be true or false');
  if (typeof custom !== 'object' || custom === null) throw wrong('.custom', 'must be an object');
  for (const [kind, pattern] of Object.entries(custom)) {
    checkKind(kind, `.custom.${kind}`);
    if (!(pattern instanceof RegExp))
      throw wrong(`.custom.${kind}`, 'must be a regular expression');
  }
}

/** The spans that cover everything that any of the spans covers, and do not overlap. */
function cover(spans: readonly PiiSpan[]): readonly PiiSpan[] {
  const covering: PiiSpan[] = [];
  let end = 0;
  for (const span of spans.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    if (span.end > end) covering.push({ ...span, start: Math.max(span.start, end) });
    end = Math.max(end, span.end);
  }
  return covering;
}

/** @throws SignalboxError `config` for a span that `detect` must not return */
function checkSpan(span: PiiSpan, text: string): PiiSpan {
  const { kind, start, end } = span;
  const isPart =
    Number.isInteger(start) && Number.isInteger(end) && start >= 0 && end <= text.length;
  if (isPart && start < end) return { kind: checkKind(kind, '.detect'), start, end };
  throw wrong('.detect', 'a span must have start and end within the text');
}

/** All spans of each text of a request. */
type Spans = ReadonlyMap<string, readonly PiiSpan[]>;

function keyOf(text: string, label: string | undefined): string {
  return label === undefined ? text : `${label}\u0000${text}`;
}

/**
 * Replaces personal data in requests by placeholders such as `<EMAIL_1>`, and puts it back into answers: text, streams,
 * objects and the arguments of tools. No vendor, cache or plugin after it sees the values.
 *
 * It finds what has a shape: e-mail addresses, phone numbers (with the package `libphonenumber-js`), payment cards,
 * IBANs, IP addresses, URLs with a password, API keys, national ids with a check digit, dates of birth. Names and
 * addresses are found only by `detect`. It does not look into images, PDFs, audio and URLs of media.
 * @throws SignalboxError `config` for bad options
 */
export function redactPii(options: RedactPiiOptions): Plugin {
  checkOptions(options);
  const { regions, kinds = piiKinds, detect, restore = true, name = 'pii' } = options;
  const find = piiFinder(kinds, regions);
  const patterns = Object.entries(options.custom ?? {}).map(([kind, pattern]) => ({
    kind,
    pattern: new RegExp(pattern, pattern.flags.replace(/[gy]/g, '').concat('g')),
  }));
  const labels = placeholderLabels([...kinds, ...patterns.map(({ kind }) => kind)]);
  const ofCalls = new WeakMap<PluginCall, Placeholders>();

  function findCustom(text: string): readonly PiiSpan[] {
    return patterns.flatMap(({ kind, pattern }) =>
      [...text.matchAll(pattern)].flatMap(({ 0: { length }, index }) =>
        length === 0 ? [] : { kind, start: index, end: index + length },
      ),
    );
  }

  async function spansOf(request: PluginRequest): Promise<Spans> {
    const texts = new Map<string, { readonly text: string; readonly label: string | undefined }>();
    mapTexts(request, (text, label) => {
      texts.set(keyOf(text, label), { text, label });
      return text;
    });
    const spans = new Map<string, readonly PiiSpan[]>();
    for (const [key, { text, label }] of texts) {
      const detected = detect === undefined ? [] : await detect(text);
      const others = [...findCustom(text), ...detected.map((span) => checkSpan(span, text))];
      spans.set(
        key,
        others.length === 0 ? find(text, label) : cover([...others, ...find(text, label)]),
      );
    }
    return spans;
  }

  function placeholdersOf(call: PluginCall, spans: Spans): Placeholders {
    const placeholders = ofCalls.get(call) ?? new Placeholders(labels);
    ofCalls.set(call, placeholders);
    if (detect !== undefined)
      placeholders.learn([...spans.values()].flat().map(({ kind }) => kind));
    return placeholders;
  }

  function replaced(text: string, spans: readonly PiiSpan[], placeholders: Placeholders): string {
    let out = '';
    let from = 0;
    for (const { kind, start, end } of spans) {
      out +=
        placeholders.hide(text.slice(from, start)) + placeholders.for(text.slice(start, end), kind);
      from = end;
    }
    return out + placeholders.hide(text.slice(from));
  }

  const plugin: Plugin = {
    name,
    exceptTiers: options.exceptTiers,
    failOpen: options.failOpen,
    redacts: true,
    async onRequest(request, call) {
      const spans = await spansOf(request);
      const placeholders = placeholdersOf(call, spans);
      const inOrder = (text: string, label?: string) => ({
        text,
        spans: spans.get(keyOf(text, label)) ?? [],
      });
      if (restore) {
        mapTexts(request, (text) => {
          placeholders.reserve(text);
          return text;
        });
      }
      // All are numbered before any is replaced: a value may be found in one text and only occur in another.
      const counts: Record<string, number> = {};
      mapTexts(request, (text, label) => {
        for (const { kind, start, end } of inOrder(text, label).spans) {
          counts[kind] = (counts[kind] ?? 0) + 1;
          placeholders.for(text.slice(start, end), kind);
        }
        return text;
      });
      if (placeholders.isEmpty) return request;
      if (Object.keys(counts).length > 0) call.verdict({ kind: 'redact', counts });
      return mapTexts(request, (text, label) =>
        replaced(text, inOrder(text, label).spans, placeholders),
      );
    },
  };
  if (!restore) return plugin;
  return {
    ...plugin,
    onParts(call) {
      const placeholders = ofCalls.get(call) ?? new Placeholders(labels);
      return restoredParts(placeholders, call.options.schema === undefined ? 'text' : 'json');
    },
  };
}

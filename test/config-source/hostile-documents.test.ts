import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { isSignalboxError } from '../../src/errors.ts';

const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n');

/** Nine aliases of the line before, on each of seven lines: 9^8 values. */
const bomb = `a: &a [${'x,'.repeat(9)}]\n${[...'bcdefgh']
  .map((name, index) => `${name}: &${name} [${`*${'abcdefgh'[index]},`.repeat(9)}]`)
  .join('\n')}`;

const valid = 'tiers: { fast: [p/m] }\n';

const yamlDocuments: Readonly<
  Record<string, readonly [text: string, path: RegExp, message: RegExp]>
> = {
  nothing: ['', /^configuration$/, /must be an object with "tiers"/],
  'only a comment': ['# nothing', /^configuration$/, /must be an object/],
  'a scalar': ['routing', /^configuration$/, /must be an object/],
  'a list': ['- tiers', /^configuration$/, /must be an object/],
  'a document of more than 1 MB': [
    'x'.repeat(1_000_001),
    /^configuration$/,
    /more than 1000000 bytes/,
  ],
  'several documents': [`${valid}---\n${valid}`, /^configuration$/, /must be one document/],
  'another version of YAML': [`%YAML 1.1\n---\n${valid}`, /^configuration$/, /YAML 1\.2/],
  'duplicate keys': [`${valid}tiers: {}`, /^tiers$/, /defined twice/],
  'a key that is a number': [`${valid}1: x`, /^configuration$/, /key must be a string/],
  'a key that is a list': [`${valid}? [a, b]\n: x`, /^configuration$/, /key must be a string/],
  'a key called __proto__': [`${valid}__proto__: { x: 1 }`, /^__proto__$/, /must not be called/],
  'a merge key': [`${valid}tags: { <<: { a: b } }`, /^tags$/, /merge keys/],
  'a tag': [`${valid}tags: !!js/function x`, /^tags$/, /must not have a tag/],
  'a binary': [`${valid}tags: { a: !!binary aGk= }`, /^tags\.a$/, /must not have a tag/],
  'aliases that multiply': [bomb, /^f\[0\]$/, /more than 100000 values/],
  'an alias inside of its anchor': ['tiers: &a [*a]', /^tiers\[0\]$/, /no anchor/],
  'an alias without an anchor': ['tiers: *a', /^tiers$/, /no anchor/],
  'deep brackets': ['['.repeat(500_000), /^configuration$/, /nested/],
  'deep objects': ['{a: '.repeat(150_000), /^configuration$/, /nested/],
  'deep lines': [lines(1_350, (index) => `${' '.repeat(index)}a:`), /^configuration$/, /nested/],
  'deep lists': ['- '.repeat(3_000), /^configuration$/, /nested/],
  'deeper lists': ['- '.repeat(400_000), /^configuration$/, /tokens/],
  quotes: ['"'.repeat(1_000_000), /^configuration$/, /tokens/],
  commas: [`[${','.repeat(900_000)}]`, /^configuration$/, /tokens/],
  anchors: ['&a '.repeat(300_000), /^configuration$/, /tokens/],
  'tags without a value': ['! '.repeat(300_000), /^configuration$/, /tokens/],
  'empty documents': ['---\n'.repeat(240_000), /^configuration$/, /tokens/],
  'many keys': [lines(90_000, (index) => `k${index}: 1`), /^configuration$/, /tokens/],
  'a tab': ['tiers:\n\t- p/m', /^configuration$/, /not valid YAML/],
  'an open bracket': ['tiers: [p/m', /^configuration$/, /not valid YAML/],
  infinity: [`${valid}defaults: { temperature: .inf }`, /^defaults\.temperature$/, /./],
};

const jsonDocuments: typeof yamlDocuments = {
  nothing: ['', /^configuration$/, /expected a value/],
  'a number': ['7', /^configuration$/, /must be an object/],
  'two documents': ['{} {}', /^configuration$/, /the end of the document/],
  'duplicate names': ['{"tiers": {"a": ["p/m"], "a": ["p/m"]}}', /^tiers\.a$/, /defined twice/],
  'a name __proto__': ['{"__proto__": {}, "tiers": {"a": ["p/m"]}}', /^__proto__$/, /must not be/],
  'a comma at the end': ['{"tiers": {"a": ["p/m"],}}', /^tiers$/, /a name in double quotes/],
  'an early end': ['{"tiers": ', /^tiers$/, /the document ends/],
  'a bad escape': ['{"tiers": "\\x"}', /^tiers$/, /a valid string/],
  'an open string': ['{"tiers": "', /^tiers$/, /a valid string/],
  'a line break in a string': ['{"tiers": "\n"}', /^tiers$/, /a valid string/],
  NaN: ['{"tiers": NaN}', /^tiers$/, /a value/],
  'a number with a leading zero': ['{"tiers": 01}', /^configuration$/, /"," or "}"/],
  'deep lists': ['['.repeat(900_000), /^\[0\]/, /nested/],
  'deep objects': ['{"a":'.repeat(190_000), /^a\.a/, /nested/],
  'many values': [`[${'1,'.repeat(400_000)}1]`, /^\[99999\]$/, /more than 100000 values/],
  backslashes: [`{"a": "${'\\'.repeat(900_000)}"`, /^configuration$/, /document ends/],
  'escaped quotes': [`["${'\\"'.repeat(400_000)}"`, /^configuration$/, /document ends/],
};

describe.each([
  ['yaml', yamlDocuments],
  ['json', jsonDocuments],
] as const)('a hostile %s document', (format, documents) => {
  it.each(Object.entries(documents))('is refused: %s', async (_, [text, path, message]) => {
    const error = await loadConfig({ text, format }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (!isSignalboxError(error, 'config')) throw new Error(`not refused: ${String(error)}`);
    const [first] = error.problems ?? [];
    expect(first?.path).toMatch(path);
    expect(first?.message).toMatch(message);
    if (text.length <= 1_000_000) expect(first?.line).toBeGreaterThanOrEqual(1);
    expect(error.message.length).toBeLessThan(50_000);
  });

  it('does not change prototypes', () => {
    expect(Reflect.has({}, 'x')).toBe(false);
  });
});

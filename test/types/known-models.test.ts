import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { beforeAll, describe, expect, it } from 'vitest';
import { profiles } from '../../src/adapters/compatible/profiles.ts';
import { createCatalogue } from '../../src/pricing/pricing.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const typesFile = `${root}src/protocol/known-models.ts`;

/** The ids in the type, by provider. */
const known = [...readFileSync(typesFile, 'utf8').matchAll(/^ {2}(\w+):([^;]*);/gm)].map(
  ([, provider = '', union = '']) =>
    [provider, [...union.matchAll(/'([^']+)'/g)].map(([, id = '']) => id)] as const,
);

/** Where `|` is in the text, an editor offers these. */
function completionsIn(text: string): readonly string[] {
  const file = `${root}test/types/completed.ts`;
  const position = text.indexOf('|');
  const source = text.replace('|', '');
  const config = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  const read = (name: string) => (name === file ? source : ts.sys.readFile(name));
  const service = ts.createLanguageService({
    getCompilationSettings: () => options,
    getScriptFileNames: () => [file],
    getScriptVersion: () => '1',
    getScriptSnapshot: (name) => {
      const content = read(name);
      return content === undefined ? undefined : ts.ScriptSnapshot.fromString(content);
    },
    getCurrentDirectory: () => root,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: (name) => name === file || ts.sys.fileExists(name),
    readFile: read,
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
  });
  const completions = service.getCompletionsAtPosition(file, position, {});
  return completions?.entries.map(({ name }) => name) ?? [];
}

describe('known models', () => {
  const catalogue = createCatalogue();
  const lists: Readonly<Record<string, string>> = {
    ...Object.fromEntries(
      Object.entries(profiles).flatMap(([name, profile]) =>
        'priceList' in profile ? [[name, profile.priceList]] : [],
      ),
    ),
    anthropic: 'anthropic',
    google: 'google',
    openai: 'openai',
  };
  /** 90 days after the retirement dates were read. */
  const soon = '2027-02-28';

  beforeAll(() => catalogue.load());

  it.each(known)('of %s are in its price list, and not about to retire', (provider, ids) => {
    const list = lists[provider] ?? '';
    expect(ids.length).toBeGreaterThan(0);
    expect(ids).toEqual(ids.toSorted());
    expect(ids.filter((id) => !catalogue.has(list, id))).toEqual([]);
    const retiring = ids.filter((id) => (catalogue.retirementDate(list, id) ?? '9') < soon);
    expect(retiring).toEqual([]);
  });

  it('are completed in targets, for the providers that are configured', () => {
    const names = completionsIn(`
      import { createRouter } from '../../src/index.ts';
      import { fakeProvider } from '../../src/testing.ts';
      createRouter({
        providers: { openai: fakeProvider(), mine: fakeProvider() },
        tiers: { fast: ['|'] },
      });
    `);
    const openai = known.find(([provider]) => provider === 'openai')?.[1] ?? [];
    expect(names.toSorted()).toEqual(openai.map((id) => `openai/${id}`));
  }, 120_000);
});

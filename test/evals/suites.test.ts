import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { csvRows } from '../../src/apps/evals/csv-rows.ts';
import { loadSuite } from '../../src/apps/evals/loaded-suite.ts';
import { defineSuite, exact, numeric, type Suite } from '../../src/evals.ts';

const folder = mkdtempSync(join(tmpdir(), 'signalbox-suites-'));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const messageOf = async (suite: Suite | string): Promise<string> =>
  await loadSuite(suite).then(
    () => 'loaded',
    (error: Error) => error.message,
  );

const suiteOf = (more: Partial<Suite>): Suite => ({
  ...{ name: 'sums', tier: 'fast', scorers: [exact], ...more },
});

describe('a suite in code', () => {
  it('lists every problem with its path', () => {
    const cases = [{ prompt: 'a', expectd: 1 }, { expected: 2 }, { prompt: 'b', label: 1 }];
    const wrong = { ...suiteOf({}), name: 'a/b', cases, samples: 0, minEfect: 1 };
    const define = () => defineSuite(wrong as unknown as Suite);
    expect(define).toThrow(/name: must be 1 to 100 letters/);
    expect(define).toThrow(/samples: must be at least 1/);
    expect(define).toThrow(/minEfect: unknown option; did you mean "minEffect"\?/);
    expect(define).toThrow(/cases\[0\]\.expectd: unknown option; did you mean "expected"\?/);
    expect(define).toThrow(/cases\[1\]: must have either "prompt" or "messages"/);
    expect(define).toThrow(/cases\[2\]: "answer" and "label" belong together/);
  });

  it('needs cases or a file, and not both', () => {
    const either = /must have either "cases" or "file"/;
    expect(() => defineSuite(suiteOf({}))).toThrow(either);
    const both = { cases: [{ prompt: 'a' }], file: 'a.csv' };
    expect(() => defineSuite(suiteOf(both))).toThrow(either);
  });

  it('gives cases without an id one that changes with the content, and with nothing else', async () => {
    const load = async (cases: Suite['cases'], more: Partial<Suite> = {}) =>
      (await loadSuite(suiteOf({ cases, ...more }))).cases;
    const [first] = await load([{ prompt: 'a', expected: { x: 1, y: 2 } }]);
    const [same] = await load([{ expected: { y: 2, x: 1 }, prompt: 'a', weight: 2 }]);
    const [other] = await load([{ prompt: 'b', expected: { x: 1, y: 2 } }]);
    expect(first?.id).toMatch(/^case-[0-9a-f]{12}$/);
    expect(same?.id).toBe(first?.id);
    expect(other?.id).not.toBe(first?.id);
    const [scored] = await load([{ prompt: 'a', expected: 1 }], { scorers: [numeric] });
    const [loose] = await load([{ prompt: 'a', expected: 1 }], {
      scorers: [numeric({ tolerance: 1 })],
    });
    expect([scored?.id, scored?.hash === loose?.hash]).toEqual([loose?.id, false]);
  });

  it('refuses two cases of the same id or content', async () => {
    const cases = [
      { id: 'x', prompt: 'a', expected: 1 },
      { id: 'x', prompt: 'b', expected: 1 },
    ];
    expect(await messageOf(suiteOf({ cases }))).toMatch(/cases\[1\]: has the id x of cases\[0\]/);
    const twice = [
      { prompt: 'a', expected: 1 },
      { prompt: 'a', expected: 1 },
    ];
    expect(await messageOf(suiteOf({ cases: twice }))).toMatch(/is the same case as cases\[0\]/);
  });

  it('refuses cases that its scorers cannot score', async () => {
    const cases = [{ prompt: 'a', expected: 'many' }];
    const message = await messageOf(suiteOf({ cases, scorers: [numeric] }));
    expect(message).toMatch(/cases\[0\]: numeric needs "expected": a number/);
  });
});

describe('a suite in a file', () => {
  it('has scorers by name, and cases in a file beside it', async () => {
    write(
      'cases.csv',
      'id,prompt,expected,weight,tags.lang\none,"1, and\n0?",1,2,en\ntwo,2?,2,,\n',
    );
    const path = write(
      'suite.yaml',
      'name: sums\ntier: fast\nfile: cases.csv\nsamples: 2\nscorers: [exact, { numeric: { tolerance: 0.5, weight: 3 } }]\n',
    );
    const { cases, scorers, samples, minEffect } = await loadSuite(path);
    expect(cases).toMatchObject([
      { id: 'one', prompt: '1, and\n0?', expected: '1', weight: 2, tags: { lang: 'en' } },
      { id: 'two', prompt: '2?', expected: '2' },
    ]);
    expect(cases[1]).not.toHaveProperty('weight');
    expect(scorers.map(({ name, weight }) => [name, weight])).toEqual([
      ['exact', undefined],
      ['numeric', 3],
    ]);
    expect([samples, minEffect]).toEqual([2, 0.02]);
  });

  it('reads cases of YAML, JSON and JSON Lines', async () => {
    const files = [
      write('a.yaml', '- { id: one, prompt: "1?", expected: 1 }\n'),
      write('b.json', '{ "cases": [{ "id": "one", "prompt": "1?", "expected": 1 }] }'),
      write('c.jsonl', '\n{ "id": "one", "prompt": "1?", "expected": 1 }\n'),
    ];
    const loaded = await Promise.all(files.map((file) => loadSuite(suiteOf({ file }))));
    for (const suite of loaded)
      expect(suite).toMatchObject({ cases: [{ id: 'one', expected: 1 }] });
    expect(new Set(loaded.map(({ fingerprint }) => fingerprint)).size).toBe(1);
  });

  it('names line and column of what is wrong', async () => {
    const head = 'name: sums\ntier: fast\n';
    const cases = 'cases:\n  - prompt: "1?"\n    expectd: 1\n';
    const typo = write('typo.yaml', `${head}scorers: [exact]\n${cases}`);
    expect(await messageOf(typo)).toMatch(/cases\[0\]\.expectd \(typo\.yaml:6:5\): unknown option/);
    const scorer = write('scorer.yaml', `${head}scorers:\n  - exakt\n${cases}`);
    expect(await messageOf(scorer)).toMatch(
      /scorers\[0\] \(scorer\.yaml:4:5\): there is no scorer "exakt"/,
    );
    const judge = write('judge.yaml', `${head}scorers: [{ judge: { tier: smart } }]\n${cases}`);
    expect(await messageOf(judge)).toMatch(/judge needs the option "rubric"/);
    const option = write('option.yaml', `${head}scorers: [{ numeric: { tol: 1 } }]\n${cases}`);
    expect(await messageOf(option)).toMatch(/numeric has no option "tol"; there is "tolerance"/);
  });

  it('names the line of a bad case', async () => {
    const file = write('bad.jsonl', '{ "prompt": "a", "expected": 1 }\n{ "prompt": 2 }\n');
    expect(await messageOf(suiteOf({ file }))).toMatch(
      /prompt \(bad\.jsonl:2:1\): must be a string/,
    );
    const cut = write('cut.jsonl', '{ "prompt": "a"\n');
    expect(await messageOf(suiteOf({ file: cut }))).toMatch(/cut\.jsonl:1:16 is not valid JSON/);
    const column = write('column.csv', 'id,promt\na,b\n');
    expect(await messageOf(suiteOf({ file: column }))).toMatch(
      /column\.csv:1 has a column "promt"/,
    );
    const twice = write('twice.csv', 'prompt,expected,prompt\na,b,c\n');
    expect(await messageOf(suiteOf({ file: twice }))).toMatch(
      /twice\.csv:1 has two columns "prompt"/,
    );
    const cells = write('cells.csv', 'id,prompt,expected\na,b,c\nd,e,f,g\n');
    expect(await messageOf(suiteOf({ file: cells }))).toMatch(/cells\.csv:3 has 4 cells/);
    const weight = write('weight.csv', 'prompt,expected,weight\na,b,heavy\n');
    expect(await messageOf(suiteOf({ file: weight }))).toMatch(/weight \(weight\.csv:2:1\)/);
    expect(await messageOf(suiteOf({ file: 'none.csv' }))).toMatch(
      /none\.csv cannot be read \(ENOENT\)/,
    );
    const empty = write('empty.csv', 'prompt\n');
    expect(await messageOf(suiteOf({ file: empty }))).toMatch(/empty\.csv has no cases/);
  });

  it('refuses more cases than it keeps', async () => {
    const file = write('many.csv', `prompt,expected\n${'a,b\n'.repeat(10_001)}`);
    expect(await messageOf(suiteOf({ file }))).toMatch(/many\.csv has more than 10000 cases/);
  });
});

describe('CSV', () => {
  it('has quotes, line breaks in cells, and any end of line', () => {
    const rows = csvRows('\uFEFFa,"b ""c"""\r\n"x\ny",\n\nlast,"1"');
    expect(rows).toEqual([
      { line: 1, cells: ['a', 'b "c"'] },
      { line: 2, cells: ['x\ny', ''] },
      { line: 5, cells: ['last', '1'] },
    ]);
  });

  it.each([
    ['"a\n', 1, 'a quote that does not end'],
    ['a\n"b"c', 2, 'text after a closing quote'],
  ])('refuses %j', (text, line, problem) => {
    expect(() => csvRows(text)).toThrow(problem);
    try {
      csvRows(text);
    } catch (error) {
      expect(error).toHaveProperty('line', line);
    }
  });
});

import { dirname, resolve } from 'node:path';
import * as z from 'zod';
import { SignalboxError } from '../../errors.ts';
import { createRouter } from '../../router.ts';
import { type EvalsSection, readCommandDocument } from '../config-source/command-document.ts';
import { formatOf, readSourceText } from '../config-source/read-file.ts';
import { createEvals, type Evals } from '../evals/create-evals.ts';
import { suiteOfData } from '../evals/read-suite.ts';
import type { Suite } from '../evals/suite.ts';
import { makeProviders } from './make-providers.ts';
import { importModule } from './open-source.ts';
import { UsageProblem } from './usage-problem.ts';

/** What a document says about its evaluations. Paths are relative to it. */
const sectionSchema = z.strictObject({
  suites: z.array(z.union([z.string().min(1), z.looseObject({})])).min(1),
  results: z.string().min(1).default('evals/results'),
  baseline: z.string().min(1).default('evals/baseline.json'),
  concurrency: z.int().positive().optional(),
});

function isEvals(value: unknown): value is Evals {
  const names = ['run', 'estimate', 'results', 'updateBaseline'];
  return typeof value === 'object' && value !== null && names.every((name) => name in value);
}

function suitesOf(list: readonly unknown[], { locate }: EvalsSection, directory: string) {
  return list.map((each, index): Suite | string => {
    if (typeof each === 'string') return resolve(directory, each);
    return suiteOfData(
      Object(each),
      (path) => locate(['evals', 'suites', index, ...path]),
      directory,
    );
  });
}

async function openDocument(path: string): Promise<Evals> {
  const missing: string[] = [];
  const { providers, routing, evals } = await readCommandDocument(
    await readSourceText(path),
    makeProviders,
    (problem) => missing.push(`${problem.path}: ${problem.message}`),
  );
  if (evals === undefined) {
    throw new UsageProblem(`${path} has no "evals", such as { suites: [evals/greetings.yaml] }`);
  }
  const [first] = missing;
  if (first !== undefined) throw new UsageProblem(first);
  const { data, error } = sectionSchema.safeParse(evals.data);
  if (data === undefined) {
    const lines = error.issues.map((issue) => {
      const { line, column } = evals.locate(['evals', ...issue.path]) ?? {};
      return `  evals.${issue.path.join('.')} (${line}:${column}): ${issue.message}`;
    });
    throw new SignalboxError('config', `invalid configuration\n${lines.join('\n')}`);
  }
  const directory = dirname(resolve(path));
  const router = createRouter({ providers, ...routing });
  return createEvals(router, {
    suites: suitesOf(data.suites, evals, directory),
    results: resolve(directory, data.results),
    baseline: resolve(directory, data.baseline),
    concurrency: data.concurrency,
  });
}

/**
 * Opens the file of `signalbox evals`: a document with providers and `evals`, or a module that exports what `createEvals`
 * returned.
 * @throws UsageProblem, or SignalboxError `config`
 */
export async function openEvals(path: string): Promise<Evals> {
  if (formatOf(path) !== undefined) return await openDocument(path);
  const module = await importModule(path);
  for (const name of ['evals', 'default']) {
    const value: unknown = Reflect.get(module, name);
    if (isEvals(value)) return value;
  }
  throw new UsageProblem(
    `${path} does not export what createEvals returns: name it "evals", or make it the default export`,
  );
}

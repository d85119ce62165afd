import { API } from 'typescript-7.0/unstable/sync';
import { type Fence, root } from './markdown.ts';

/**
 * Type-checks fences as modules of one program, against the sources. Returns the errors, each with the page and line of
 * the Markdown file. `more` are compiler options, as in a `tsconfig.json`.
 */
export function checkFences(fences: readonly Fence[], more: object = {}): readonly string[] {
  // In the root, so that packages and `paths` resolve from there. None of these files is written.
  const byFile = new Map(fences.map((fence, index) => [`${root}fence-${index}.ts`, fence]));
  const configPath = `${root}tsconfig.fences.json`;
  const config = {
    extends: './tsconfig.json',
    // An example may declare a name that it does not use.
    compilerOptions: { ...more, noUnusedLocals: false },
    include: [],
    files: [...byFile.keys()],
  };
  // The document that docs/config-files.md imports.
  const texts = new Map([
    [configPath, JSON.stringify(config)],
    [`${root}routing.json`, '{ "tiers": { "fast": ["openai/gpt-5.4-mini"] } }'],
  ]);
  const textOf = (path: string): string | undefined => texts.get(path) ?? byFile.get(path)?.code;
  const compiler = new API({
    cwd: root,
    fs: { readFile: textOf, fileExists: (path) => (textOf(path) === undefined ? undefined : true) },
  });
  try {
    const project = compiler.updateSnapshot({ openProjects: [configPath] }).getProject(configPath);
    if (project === undefined) throw new Error('no program of the fences');
    const { program } = project;
    const [problem] = program.getConfigFileParsingDiagnostics();
    if (problem !== undefined) throw new Error(problem.text);
    return [...byFile].flatMap(([path, { page, line, code }]) =>
      [...program.getSyntacticDiagnostics(path), ...program.getSemanticDiagnostics(path)].map(
        ({ pos, text }) => `${page}:${line + code.slice(0, pos).split('\n').length - 1}: ${text}`,
      ),
    );
  } finally {
    compiler.close();
  }
}

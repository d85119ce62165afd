import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { type Fence, root } from './markdown.ts';

/** The virtual path of a fence: in the root, so that packages and `paths` resolve from there. */
function fileOf(index: number): string {
  return `${root}fence-${index}.ts`;
}

function optionsOf(more: object): ts.CompilerOptions {
  const configPath = `${root}tsconfig.json`;
  const { config } = ts.readConfigFile(configPath, (path) => readFileSync(path, 'utf8'));
  return {
    ...ts.convertCompilerOptionsFromJson({ ...config.compilerOptions, ...more }, root, configPath)
      .options,
    // An example may declare a name that it does not use.
    noUnusedLocals: false,
  };
}

/**
 * Type-checks fences as modules of one program, against the sources. Returns the errors, each with the page and line of
 * the Markdown file. `more` are compiler options, as in a `tsconfig.json`.
 */
export function checkFences(fences: readonly Fence[], more: object = {}): readonly string[] {
  const byFile = new Map(fences.map((fence, index) => [fileOf(index), fence]));
  const options = optionsOf(more);
  const host = ts.createCompilerHost(options);
  const { fileExists, getSourceFile } = host;
  host.fileExists = (path) => byFile.has(path) || fileExists(path);
  host.getSourceFile = (path, languageVersion, onError, shouldCreate) => {
    const fence = byFile.get(path);
    if (fence === undefined) return getSourceFile(path, languageVersion, onError, shouldCreate);
    return ts.createSourceFile(path, fence.code, languageVersion);
  };
  const program = ts.createProgram([...byFile.keys()], options, host);
  return [...byFile].flatMap(([path, fence]) => {
    const source = program.getSourceFile(path);
    const found = [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ];
    return found.map(({ start = 0, messageText }) => {
      const line = source?.getLineAndCharacterOfPosition(start).line ?? 0;
      const message = ts.flattenDiagnosticMessageText(messageText, '\n');
      return `${fence.page}:${fence.line + line}: ${message}`;
    });
  });
}

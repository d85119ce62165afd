import type { Problem } from '../../config/problems.ts';
import { looksLikeKey } from './looks-like-key.ts';

const variableName = /^[A-Za-z_][A-Za-z0-9_]*$/;
const reference = /\$(\$?)\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

const keyMessage = 'looks like a key of a vendor; remove it and pass it to the provider in code';

const literalKeyMessage =
  'looks like a key; use a variable of the environment that is listed in "env" instead';

/** The names of variables that hold a secret. Commands print what a document contains, except keys. */
const secretName =
  /(?:^|_)(?:api_?)?(?:keys?|tokens?|secrets?|pass(?:word|wd|phrase)?|credentials?|auth)(?:_|$)/i;

/** The variables of the process that a document may use. */
type Variables = {
  readonly allowed: ReadonlySet<string>;
  readonly values: Readonly<Record<string, string | undefined>>;
};

/** The rules for a document of a command, which may have keys of providers. */
export type CommandRules = {
  /** A variable that the document uses is not set. */
  missing(problem: Problem): void;
  /** The document contains a key where there must be none. */
  keyFound(): void;
};

/** Whether the path is that of a provider's key. */
function isKeyPath([first, , setting]: readonly PropertyKey[]): boolean {
  return first === 'providers' && setting === 'apiKey';
}

/** Visits each string of the data once, and replaces it by what `visit` returns. */
function replaceStrings(
  root: object,
  visit: (text: string, path: readonly PropertyKey[]) => string,
  visitName: (name: string, path: readonly PropertyKey[]) => void,
): void {
  const visited = new Set<object>([root]);
  const open: { readonly container: object; readonly path: readonly PropertyKey[] }[] = [
    { container: root, path: [] },
  ];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { container, path } = next;
    for (const [name, value] of Object.entries(container) as [string, unknown][]) {
      const key = Array.isArray(container) ? Number(name) : name;
      const inner = [...path, key];
      if (!Array.isArray(container)) visitName(name, path);
      if (typeof value === 'string') {
        const replaced = visit(value, inner);
        if (replaced !== value) Reflect.set(container, key, replaced);
      } else if (typeof value === 'object' && value !== null && !visited.has(value)) {
        visited.add(value);
        open.push({ container: value, path: inner });
      }
    }
  }
}

type Reporter = {
  report(message: string): void;
  missing(message: string): void;
  /** Why a variable must not be used here. */
  refusal(name: string): string | undefined;
};

/** Replaces the references in a text. `$${NAME}` is the text `${NAME}` itself. */
function expand(text: string, { allowed, values }: Variables, reporter: Reporter): string {
  const { report, missing, refusal } = reporter;
  return text.replace(reference, (whole: string, dollar: string, name: string) => {
    if (dollar !== '') return whole.slice(1);
    if (!allowed.has(name)) {
      report(`\${${name}} is not listed in "env"; write $\${${name}} for the text itself`);
      return whole;
    }
    const refused = refusal(name);
    if (refused !== undefined) {
      report(refused);
      return whole;
    }
    const value = values[name];
    if (value === undefined) missing(`the environment variable ${name} is not set`);
    return value ?? whole;
  });
}

/** The names that a document may use, and what is wrong with its list. */
function variablesOf(env: unknown): { readonly names: string[]; readonly problems: Problem[] } {
  if (!Array.isArray(env)) {
    return { names: [], problems: [{ path: ['env'], message: 'must be a list of names' }] };
  }
  const problems = env.flatMap((name, index) =>
    typeof name === 'string' && variableName.test(name)
      ? []
      : [{ path: ['env', index], message: 'must be the name of an environment variable' }],
  );
  return { names: env.filter((name) => typeof name === 'string'), problems };
}

/**
 * Replaces `${NAME}` in the document for the names that its `env` lists, and refuses values that look like keys.
 * `values` are the variables of the process; a document that is not a local file gets none.
 */
export function checkValues(
  document: object,
  values: Variables['values'] | undefined,
  command?: CommandRules,
): readonly Problem[] {
  const env: unknown = Reflect.get(document, 'env');
  Reflect.deleteProperty(document, 'env');
  const problems: Problem[] = [];
  let variables: Variables | undefined;
  if (env !== undefined && values === undefined) {
    problems.push({ path: ['env'], message: 'only a local file can use the environment' });
  } else if (env !== undefined && values !== undefined) {
    const listed = variablesOf(env);
    problems.push(...listed.problems);
    variables = { allowed: new Set(listed.names), values };
  }
  const visit = (text: string, path: readonly PropertyKey[]): string => {
    const report = (message: string): void => {
      problems.push({ path, message });
    };
    const isKey = command !== undefined && isKeyPath(path);
    const missing = (message: string): void => {
      if (command === undefined) report(message);
      else command.missing({ path, message });
    };
    const refusal = (name: string): string | undefined =>
      command === undefined || isKey || !secretName.test(name)
        ? undefined
        : `\${${name}} is a secret by its name, and can be used only in the apiKey of a provider`;
    const expanded =
      variables === undefined ? text : expand(text, variables, { report, missing, refusal });
    if (looksLikeKey(isKey ? text : expanded)) {
      report(isKey ? literalKeyMessage : keyMessage);
      command?.keyFound();
    }
    return expanded;
  };
  replaceStrings(document, visit, (name, path) => {
    if (!looksLikeKey(name)) return;
    problems.push({ path, message: `a name in it ${keyMessage}` });
    command?.keyFound();
  });
  return problems;
}

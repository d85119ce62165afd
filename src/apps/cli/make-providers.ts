import { anthropic } from '../../anthropic.ts';
import * as compatible from '../../compatible.ts';
import { isSignalboxError } from '../../errors.ts';
import { google, vertex } from '../../google.ts';
import { closest } from '../../internal/closest.ts';
import { quoted } from '../../internal/quoted.ts';
import { azureOpenAI, openai, openaiChat } from '../../openai.ts';
import type { Provider } from '../../protocol/provider.ts';
import type { MakeProviders } from '../config-source/command-document.ts';

const { openaiCompatible, ...vendors } = compatible;

/** The function of each `type`. It checks the settings, which are data of unknown shape here. */
const types = new Map<string, (settings: never) => Provider>(
  Object.entries({
    openai,
    openaiChat,
    azureOpenAI,
    anthropic,
    google,
    vertex,
    compatible: (settings: object) => openaiCompatible({ profile: {}, ...settings }),
    ...vendors,
  }),
);

/** Settings that are values of a program. */
const codeSettings: readonly string[] = ['client', 'fetch', 'dispatcher', 'token'];

/** A reference to a variable that is not set. Its absence is reported elsewhere. */
const unsetReference = /\$\{[A-Za-z_][A-Za-z0-9_]*\}/g;

/** Replaces references to variables that are not set, so that the rest of the document can still be checked. */
function standIn(name: string, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  const unset = name === 'baseURL' && !value.includes('://') ? 'http://unset.invalid' : 'unset';
  return value.replace(unsetReference, unset);
}

/** The words of a factory's errors, by setting: `openai().baseURL: must be …`. */
const settingProblem = /^\w+\(\)\.(\w+)(?:\[\d+\])?: (.*)$/;

function typeProblem(type: unknown): string {
  if (type === undefined) return 'is missing; it is the kind of provider, such as openai';
  const known = [...types.keys()];
  const meant = typeof type === 'string' ? closest(type, known) : undefined;
  const advice =
    meant === undefined ? `it must be one of ${known.join(', ')}` : `did you mean "${meant}"?`;
  return `there is no provider of type ${quoted(type)}; ${advice}`;
}

/** Makes providers from the data of a document: `{ openai: { type: 'openai', apiKey: '…' } }`. */
export const makeProviders: MakeProviders<Provider> = (data, report) => {
  const made: [string, Provider][] = [];
  for (const [name, entry] of Object.entries(data) as [string, unknown][]) {
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
      report([name], 'must be an object with "type"');
      continue;
    }
    const { type, ...settings } = entry as { readonly type?: unknown };
    const make = typeof type === 'string' ? types.get(type) : undefined;
    if (make === undefined) {
      report([name, 'type'], typeProblem(type));
      continue;
    }
    const inCode = Object.keys(settings).filter((setting) => codeSettings.includes(setting));
    for (const setting of inCode) report([name, setting], 'can be set in code only; pass a module');
    if (inCode.length > 0) continue;
    const values = Object.entries(settings).map(([setting, value]) => [
      setting,
      standIn(setting, value),
    ]);
    try {
      made.push([name, make(Object.fromEntries(values) as never)]);
    } catch (error) {
      if (!isSignalboxError(error, 'config')) throw error;
      for (const line of error.message.split('\n')) {
        const [, setting, message] = settingProblem.exec(line) ?? [];
        report(setting === undefined ? [name] : [name, setting], message ?? line);
      }
    }
  }
  return Object.fromEntries(made);
};

import { SignalboxError } from '../../errors.ts';
import { dataFlaws, everyElement, maxDataDepth } from '../../internal/caller-data.ts';
import { isObject } from '../../wires/common/read.ts';
import {
  type CustomKind,
  fieldProblems,
  type SettingKind,
  settingsError,
} from '../common/settings.ts';
import type { Profile, ProfileName } from './profile.ts';
import { profiles } from './profiles.ts';

const yesOrNo: CustomKind = {
  accepts: (value) => typeof value === 'boolean',
  wants: 'true or false',
};
const list: CustomKind = {
  accepts: (value) =>
    Array.isArray(value) && everyElement(value, (each): each is object => isObject(each)),
  wants: 'a list of objects',
};
const strings: CustomKind = {
  accepts: (value) =>
    Array.isArray(value) && everyElement(value, (each): each is string => typeof each === 'string'),
  wants: 'a list of strings',
};
const effortList: CustomKind = {
  accepts: (value) => value === 'any' || strings.accepts(value),
  wants: "a list of efforts or 'any'",
};
const jsonObject: CustomKind = {
  accepts: (value) => isObject(value) && dataFlaws(value).length === 0,
  wants: `a JSON object, without cycles and nested at most ${maxDataDepth} levels deep`,
};
const idRule: CustomKind = {
  accepts: (value) =>
    isObject(value) && value.pattern instanceof RegExp && Number.isInteger(value.maxLength),
  wants: 'an object with pattern (a regular expression) and maxLength (a whole number)',
};

const quirksShape = {
  maxTokensField: ['max_completion_tokens', 'max_tokens'],
  systemRole: ['system', 'developer'],
  systemTurns: ['anywhere', 'first'],
  turns: ['free', 'alternate'],
  userField: ['safety_identifier', 'user'],
  seedField: ['seed', 'random_seed'],
  streamUsage: ['include_usage', 'always'],
  toolChoiceRequired: ['required', 'any', 'auto'],
  toolChoiceNamed: yesOrNo,
  strictTools: yesOrNo,
  toolCallId: idRule,
  toolResultName: yesOrNo,
  toolsWithResponseFormat: yesOrNo,
  structuredOutput: ['json_schema', 'json_object', 'prompt'],
  reasoningIn: ['effort', 'enable_thinking', 'thinking', 'reasoning', 'none'],
  efforts: effortList,
  reasoningOut: ['fields', 'tags'],
  echoReasoning: ['always', 'tool-loop', 'never'],
  bareRefusal: ['status', 'context_length'],
  unsupportedParams: strings,
  extraBody: jsonObject,
} as const satisfies Record<string, SettingKind>;

const profileShape = {
  ...quirksShape,
  baseURL: 'url',
  keyVariables: strings,
  keyHosts: strings,
  authHeader: 'string',
  priceList: 'string',
  capabilities: strings,
  modelCapabilities: list,
  models: list,
} as const satisfies Record<keyof Profile, SettingKind>;

function modelProblems(path: string, models: unknown): readonly string[] {
  if (!Array.isArray(models)) return [];
  return models.flatMap((row: unknown, index) => {
    const here = `${path}.models[${index}]`;
    if (!isObject(row) || !(row.pattern instanceof RegExp) || !isObject(row.quirks)) {
      return [`${here}: must have pattern (a regular expression) and quirks (an object)`];
    }
    return fieldProblems(`${here}.quirks`, row.quirks, quirksShape);
  });
}

function capabilityProblems(path: string, rows: unknown): readonly string[] {
  if (!Array.isArray(rows)) return [];
  return rows.flatMap((row: unknown, index) =>
    isObject(row) && row.pattern instanceof RegExp && strings.accepts(row.capabilities)
      ? []
      : [
          `${path}.modelCapabilities[${index}]: must have pattern (a regular expression) and capabilities (a list)`,
        ],
  );
}

/**
 * The profile of the setting: a built-in one by name, or the caller's.
 * @throws SignalboxError `config` that lists every invalid field by its path.
 */
export function readProfile(factory: string, setting: ProfileName | Profile | undefined): Profile {
  const path = `${factory}().profile`;
  if (typeof setting === 'string' && Object.hasOwn(profiles, setting)) return profiles[setting];
  if (!isObject(setting)) {
    const names = Object.keys(profiles).join(', ');
    throw new SignalboxError('config', `${path}: must be a profile object or one of ${names}`);
  }
  const problems = [
    ...fieldProblems(path, setting, profileShape),
    ...modelProblems(path, setting.models),
    ...capabilityProblems(path, setting.modelCapabilities),
  ];
  if (problems.length > 0) throw settingsError(problems);
  return setting as Profile;
}

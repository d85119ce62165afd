import { quoted } from '../internal/quoted.ts';
import type { Store } from '../protocol/store.ts';
import { builtInStrategies } from '../routing/strategy.ts';
import { listenableNames } from '../telemetry/emitter.ts';
import type { Problem } from './problems.ts';

const hooks = [
  'onRequest',
  'wrapCall',
  'onParts',
  'eligible',
  'wrapAttempt',
  'accept',
  'onToolCall',
  'onCreate',
  'onEnd',
  'close',
] as const;

const pluginKeys: readonly string[] = ['name', 'exceptTiers', 'failOpen', 'on', 'redacts', ...hooks];

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isListOfStrings(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

/** What is wrong with the listeners of a plugin. */
function listenerProblems(listeners: unknown, path: readonly (string | number)[]): Problem[] {
  if (listeners === undefined) return [];
  if (!isObject(listeners) || Array.isArray(listeners)) {
    return [{ path, message: 'must be an object of listeners by event' }];
  }
  return Object.entries(listeners).flatMap(([name, listener]): Problem[] => {
    if (!listenableNames.includes(name)) {
      const hint = { name, known: listenableNames, otherwise: 'list' } as const;
      return [{ path: [...path, name], message: 'is no event', hint }];
    }
    if (listener === undefined || typeof listener === 'function') return [];
    return [{ path: [...path, name], message: 'must be a function' }];
  });
}

function problemsOf(plugin: object, index: number, tiers: readonly string[]): readonly Problem[] {
  const problem = (key: string, message: string): Problem => ({
    path: ['plugins', index, key],
    message,
  });
  const get = (key: string): unknown => Reflect.get(plugin, key);
  const problems: Problem[] = [];
  const name = get('name');
  if (typeof name !== 'string' || name.trim() === '') {
    problems.push(problem('name', 'must be a string that is not blank'));
  }
  const exceptTiers = get('exceptTiers');
  if (exceptTiers !== undefined && !isListOfStrings(exceptTiers)) {
    problems.push(problem('exceptTiers', 'must be a list of tier names'));
  } else if (Array.isArray(exceptTiers)) {
    for (const [at, name] of exceptTiers.entries()) {
      if (tiers.includes(name)) continue;
      const hint = { name, known: tiers, otherwise: 'list' } as const;
      const path = ['plugins', index, 'exceptTiers', at];
      problems.push({ path, message: `there is no tier ${quoted(name)}`, hint });
    }
  }
  for (const key of ['failOpen', 'redacts']) {
    const value = get(key);
    if (value === undefined || typeof value === 'boolean') continue;
    problems.push(problem(key, 'must be true or false'));
  }
  for (const hook of hooks) {
    const value = get(hook);
    if (value !== undefined && typeof value !== 'function') {
      problems.push(problem(hook, 'must be a function'));
    }
  }
  problems.push(...listenerProblems(get('on'), ['plugins', index, 'on']));
  // A plugin that is an object literal with a misspelt hook would silently do nothing.
  for (const key of Object.keys(plugin)) {
    if (pluginKeys.includes(key) || !/^(on|wrap)[A-Z]/.test(key)) continue;
    const hint = { name: key, known: pluginKeys, otherwise: 'list' } as const;
    problems.push({ path: ['plugins', index, key], message: 'is no hook of a plugin', hint });
  }
  return problems;
}

/** What is wrong with the `plugins` of a router with these tiers. */
export function pluginProblems(plugins: unknown, tiers: readonly string[]): readonly Problem[] {
  if (plugins === undefined) return [];
  if (!Array.isArray(plugins)) return [{ path: ['plugins'], message: 'must be a list' }];
  const names = new Set<unknown>();
  return plugins.flatMap((plugin: unknown, index): readonly Problem[] => {
    if (!isObject(plugin)) return [{ path: ['plugins', index], message: 'must be a plugin' }];
    const name: unknown = Reflect.get(plugin, 'name');
    const isDouble = names.has(name);
    names.add(name);
    const problems = problemsOf(plugin, index, tiers);
    if (!isDouble) return problems;
    const message = `${quoted(name)} is taken: names of plugins must be unique`;
    return [...problems, { path: ['plugins', index, 'name'], message }];
  });
}

const storeMethods = [
  'reserve',
  'settle',
  'read',
  'list',
  'watch',
] as const satisfies readonly (keyof Store)[];

/** What is wrong with the `store` of a router. */
export function storeProblems(store: unknown): readonly Problem[] {
  const isStore =
    store === undefined ||
    (isObject(store) &&
      storeMethods.every((method) => typeof Reflect.get(store, method) === 'function'));
  return isStore ? [] : [{ path: ['store'], message: 'must be a store, such as fileStore()' }];
}

/** What is wrong with the `strategies` of a router. */
export function strategyProblems(strategies: unknown): readonly Problem[] {
  if (strategies === undefined) return [];
  if (!isObject(strategies) || Array.isArray(strategies)) {
    return [{ path: ['strategies'], message: 'must be an object of strategies by name' }];
  }
  return Object.entries(strategies).flatMap(([name, strategy]): readonly Problem[] => {
    const path = ['strategies', name];
    if (Object.hasOwn(builtInStrategies, name)) {
      return [{ path, message: 'is the name of a built-in strategy; choose another one' }];
    }
    if (!isObject(strategy) || typeof Reflect.get(strategy, 'order') !== 'function') {
      return [{ path, message: 'must be an object with a function order(candidates, context)' }];
    }
    const needs: unknown = Reflect.get(strategy, 'needs');
    const isRight =
      needs === undefined ||
      (Array.isArray(needs) && needs.every((each) => each === 'prices' || each === 'usage'));
    return isRight
      ? []
      : [
          {
            path: [...path, 'needs'],
            message: "must be a list that can contain 'prices' and 'usage'",
          },
        ];
  });
}

import { SignalboxError } from '../errors.ts';
import { quoted } from '../internal/quoted.ts';
import type { Runtime } from '../protocol/runtime.ts';
import { systemRuntime } from '../runtime.ts';
import type { Problem } from './problems.ts';

const methods = [
  'now',
  'sleep',
  'random',
  'createId',
] as const satisfies readonly (keyof Runtime)[];

function problem(method: string, what: string): Problem {
  return { path: ['runtime', method], message: what };
}

/** What is wrong with a runtime. Asks it for the time, and for nothing that it counts. */
export function runtimeProblems(runtime: unknown): readonly Problem[] {
  if (runtime === undefined || runtime === systemRuntime) return [];
  if (typeof runtime !== 'object' || runtime === null) {
    const message = `must be an object with ${methods.join(', ')}`;
    return [{ path: ['runtime'], message }];
  }
  const problems = methods
    .filter((method) => typeof Reflect.get(runtime, method) !== 'function')
    .map((method) => problem(method, 'must be a function'));
  const alarm: unknown = Reflect.get(runtime, 'alarm');
  if (alarm !== undefined && typeof alarm !== 'function') {
    problems.push(problem('alarm', 'must be a function, or left out'));
  }
  if (problems.length > 0) return problems;
  try {
    checkedRuntime(runtime as Runtime).now();
  } catch (error) {
    problems.push(problem('now', error instanceof SignalboxError ? whatOf(error) : 'it threw'));
  }
  return problems;
}

/** The message without the path that it begins with. */
function whatOf({ message }: SignalboxError): string {
  return message.slice(message.indexOf(': ') + 2);
}

/** Calls a method of the caller's runtime. @throws SignalboxError `config` when it throws or returns something else */
function ask<Value>(
  method: keyof Runtime,
  call: () => Value,
  isRight: (value: Value) => boolean,
  wanted: string,
): Value {
  let value: Value;
  try {
    value = call();
  } catch (cause) {
    throw new SignalboxError('config', `runtime.${method}: it threw; see cause`, { cause });
  }
  if (isRight(value)) return value;
  const got = typeof value === 'number' ? String(value) : quoted(value);
  throw new SignalboxError(
    'config',
    `runtime.${method}: must return ${wanted}, and returned ${got}`,
  );
}

function isThenable(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof Reflect.get(value, 'then') === 'function' &&
    typeof Reflect.get(value, 'catch') === 'function'
  );
}

function isShare(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value < 1;
}

/** The runtime with what its methods return checked, so that a wrong one fails as itself and not somewhere else. */
export function checkedRuntime(runtime: Runtime): Runtime {
  if (runtime === systemRuntime) return runtime;
  const { alarm } = runtime;
  return {
    now: () => ask('now', () => runtime.now(), Number.isFinite, 'a number of milliseconds'),
    sleep: (ms, signal) => ask('sleep', () => runtime.sleep(ms, signal), isThenable, 'a promise'),
    ...(alarm !== undefined && {
      alarm: (ms: number, ring: () => void) =>
        ask(
          'alarm',
          () => alarm.call(runtime, ms, ring),
          (callOff) => typeof callOff === 'function',
          'a function that calls it off',
        ),
    }),
    random: () => ask('random', () => runtime.random(), isShare, 'a number in [0, 1)'),
    createId: (prefix) =>
      ask(
        'createId',
        () => runtime.createId(prefix),
        (id) => typeof id === 'string' && id !== '',
        'a string that is not empty',
      ),
  };
}

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

/** Validates a runtime. Calls only `now()`, because the other methods have side effects. */
export function runtimeProblems(runtime: unknown): readonly Problem[] {
  if (runtime === undefined || runtime === systemRuntime) return [];
  if (typeof runtime !== 'object' || runtime === null) {
    const message = `must be an object with the methods ${methods.join(', ')}`;
    return [{ path: ['runtime'], message }];
  }
  const problems = methods
    .filter((method) => typeof Reflect.get(runtime, method) !== 'function')
    .map((method) => problem(method, 'must be a function'));
  const alarm: unknown = Reflect.get(runtime, 'alarm');
  if (alarm !== undefined && typeof alarm !== 'function') {
    problems.push(problem('alarm', 'must be a function or undefined'));
  }
  if (problems.length > 0) return problems;
  try {
    checkedRuntime(runtime as Runtime).now();
  } catch (error) {
    problems.push(
      problem('now', error instanceof SignalboxError ? withoutPath(error) : 'threw an error'),
    );
  }
  return problems;
}

/** The message without its leading path. */
function withoutPath({ message }: SignalboxError): string {
  return message.slice(message.indexOf(': ') + 2);
}

/**
 * Calls a method of the runtime and checks its return value.
 * @throws SignalboxError `config` if the method throws or the value is invalid.
 */
function callMethod<Value>(
  method: keyof Runtime,
  call: () => Value,
  isValid: (value: Value) => boolean,
  expected: string,
): Value {
  let value: Value;
  try {
    value = call();
  } catch (cause) {
    throw new SignalboxError('config', `runtime.${method}: threw an error; see cause`, { cause });
  }
  if (isValid(value)) return value;
  const actual = typeof value === 'number' ? String(value) : quoted(value);
  throw new SignalboxError(
    'config',
    `runtime.${method}: must return ${expected}, but returned ${actual}`,
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

function isFraction(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value < 1;
}

/** Wraps a runtime so that its return values are checked: a faulty method fails with its name, not elsewhere. */
export function checkedRuntime(runtime: Runtime): Runtime {
  if (runtime === systemRuntime) return runtime;
  const { alarm } = runtime;
  return {
    now: () => callMethod('now', () => runtime.now(), Number.isFinite, 'a number of milliseconds'),
    sleep: (ms, signal) =>
      callMethod('sleep', () => runtime.sleep(ms, signal), isThenable, 'a promise'),
    ...(alarm !== undefined && {
      alarm: (ms: number, ring: () => void) =>
        callMethod(
          'alarm',
          () => alarm.call(runtime, ms, ring),
          (cancel) => typeof cancel === 'function',
          'a function that cancels the alarm',
        ),
    }),
    random: () => callMethod('random', () => runtime.random(), isFraction, 'a number in [0, 1)'),
    createId: (prefix) =>
      callMethod(
        'createId',
        () => runtime.createId(prefix),
        (id) => typeof id === 'string' && id !== '',
        'a non-empty string',
      ),
  };
}

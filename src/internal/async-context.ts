/** Runs a function in an async context. */
export type InContext = <Result>(run: () => Result) => Result;

/** The current async context. Loads `node:async_hooks` when called, because only plugins need it. */
export function currentContext(): InContext {
  const { AsyncLocalStorage } = process.getBuiltinModule('node:async_hooks');
  return AsyncLocalStorage.snapshot();
}

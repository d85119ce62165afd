/** Whether two types are identical, including `any` and `readonly`. */
export type Equal<One, Other> =
  (<Each>() => Each extends One ? 1 : 2) extends <Each>() => Each extends Other ? 1 : 2
    ? true
    : false;

/** Compiles only if the type argument is `true`: `expectType<Equal<One, Other>>(true)`. */
export function expectType<Holds extends boolean>(
  _holds: Holds extends true ? true : never,
): void {}

/** Whether two types are the same: each the other's match, `any` and `readonly` told apart. */
export type Equal<One, Other> =
  (<Each>() => Each extends One ? 1 : 2) extends <Each>() => Each extends Other ? 1 : 2
    ? true
    : false;

/** Compiles only when its argument is `true`: `expectType<Equal<One, Other>>(true)`. */
export function expectType<Holds extends boolean>(
  _holds: Holds extends true ? true : never,
): void {}

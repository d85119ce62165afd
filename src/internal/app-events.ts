import type { RouterEvent } from '../protocol/events.ts';

/** Shared by duplicate copies of the package. */
const emitter = Symbol.for('signalbox.emit');

type Emit = (event: RouterEvent) => void;

/** What `createRouter` gives its router, so that apps around it can emit events to its listeners. */
export function emitterFor(emit: Emit): object {
  return { [emitter]: emit };
}

/** Emits events of a router. Does nothing for another object with the same methods. */
export function emitOf(router: object): Emit {
  const emit: unknown = Reflect.get(router, emitter);
  return typeof emit === 'function' ? (emit as Emit) : () => undefined;
}

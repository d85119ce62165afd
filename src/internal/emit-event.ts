/**
 * The key of a router's function that emits an event for an app on top of it. Not public: events have one origin each. In
 * the global registry, because an app may come from another copy of the package.
 */
export const emitEvent: unique symbol = Symbol.for('signalbox.emit');

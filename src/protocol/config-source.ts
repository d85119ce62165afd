import type { Runtime } from './runtime.ts';

/** One problem of a configuration or of call options. */
export type ConfigProblem = {
  /** Where it is, such as `tiers.fast.targets[1]`. */
  readonly path: string;
  /** What is wrong, and what to do. */
  readonly message: string;
  /** Line of the document, from 1. Absent if the configuration was not read from a text. */
  readonly line?: number;
  /** Column of the line, from 1. */
  readonly column?: number;
};

/** One difference between two configurations. */
export type ConfigChange = {
  /** What differs, such as `tiers.fast.targets[1]`. */
  readonly path: string;
  readonly kind: 'added' | 'removed' | 'changed';
};

/** What a {@link ConfigSource} gets from the router that follows it. */
export type ConfigSourceContext = {
  /** Aborts when the router stops following. */
  readonly signal: AbortSignal;
  readonly runtime: Runtime;
  /** Delivers a configuration: plain data, parsed. The router validates it and applies all of it or nothing. */
  deliver(document: unknown): void;
  /** Reports that the latest configuration could not be read. The router keeps its own. */
  fail(error: unknown): void;
};

/** A place that configurations come from while a router runs, for `router.follow`. */
export interface ConfigSource {
  /** The name in events and errors. Must not contain credentials. */
  readonly name: string;
  /**
   * Delivers the current configuration as soon as possible and each later one when it is found, until the signal aborts.
   * Then it releases what it holds, and resolves. Waits with the runtime's `sleep`.
   */
  run(context: ConfigSourceContext): Promise<void>;
}

/** What a followed document contains, and what it may do. */
export type FollowOptions = {
  /** Whether it may omit tiers of the configuration that the router was made with. @default false */
  readonly allowRemoval?: boolean;
  /** Whether it may weaken or omit the `requires` of that configuration, or declare more `compliance`. @default false */
  readonly allowLoosening?: boolean;
  /**
   * The documents contain only `prices`, and `pricesDate` if it is known. They are added to those of the configuration,
   * which win. Such a source can be followed next to one of the whole configuration.
   * @default the whole configuration
   */
  readonly only?: 'prices';
};

/** A source that a router follows. */
export type Following = {
  /** Stops following. The configuration stays as it is. Resolves when the source has released everything. */
  stop(): Promise<void>;
};

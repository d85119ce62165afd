import { changesBetween } from '../../config/changes.ts';
import { checkFollow } from '../../config/check.ts';
import type { KnownNames } from '../../config/cross-check.ts';
import { followedProblems } from '../../config/followed.ts';
import { checkPrices, type ResolvedConfig, resolveConfig } from '../../config/resolve.ts';
import type { PricesInput, RoutingInput } from '../../config/schema.ts';
import { SignalboxError, summarizeError } from '../../errors.ts';
import type { ConfigSource, Following, FollowOptions } from '../../protocol/config-source.ts';
import type { PriceList } from '../../protocol/description.ts';
import type { Engine } from '../core/engine.ts';
import { followSource } from './follow-source.ts';

/** The configuration of one router: the current one, and what replaces it. */
export class Configuration {
  readonly #engine: Engine;
  readonly #known: KnownNames;
  /** What the router was made with. */
  readonly #first: RoutingInput;
  /** What was configured last, without the prices of a separate source. */
  #routing: RoutingInput;
  /** The latest prices of a separate source, and its name. */
  #prices: PricesInput | undefined;
  #pricesSource = '';
  /** A field, because every call reads it. Only this class sets it. */
  current: ResolvedConfig;
  #version = 1;
  readonly #following = new Map<FollowOptions['only'], Following>();
  #isClosed = false;

  constructor(engine: Engine, known: KnownNames, first: ResolvedConfig) {
    this.#engine = engine;
    this.#known = known;
    this.#first = first.input;
    this.#routing = first.input;
    this.current = first;
    this.#use(first);
  }

  /** @throws SignalboxError `config`; nothing changes then */
  reconfigure(routing: unknown): void {
    const { input } = resolveConfig(routing, this.#known);
    this.#replace(input, this.#prices, 'reconfigure');
  }

  /** @throws SignalboxError `config` if the first document is invalid or cannot be read; `closed` */
  async follow(source: ConfigSource, unchecked?: FollowOptions): Promise<Following> {
    const options = checkFollow(source, unchecked);
    const { only } = options;
    if (this.#isClosed) throw new SignalboxError('closed', 'the router is closed');
    if (this.#following.has(only)) {
      throw new SignalboxError('config', 'the router follows another source: stop that first');
    }
    const following = followSource(source, {
      runtime: this.#engine.runtime,
      apply: (document) => this.#apply(document, source.name, options),
      reject: (error) => this.#emitRejected(error, source.name),
      stopped: () => {
        if (this.#following.get(only) === following) this.#following.delete(only);
      },
    });
    this.#following.set(only, following);
    try {
      await following.started;
    } catch (error) {
      await following.stop();
      throw error;
    }
    return { stop: () => following.stop() };
  }

  /** The configured prices. Those of the configuration win over those of a separate source. */
  priceLists(): readonly PriceList[] {
    const own = this.#routing.prices && listOf('prices', this.#routing.pricesDate);
    const followed = this.#prices && listOf(this.#pricesSource, this.#prices.pricesDate);
    return [own, followed].filter((list) => list !== undefined);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#following.values()].map((each) => each.stop()));
  }

  /** @throws SignalboxError `config`; nothing changes then */
  #apply(document: unknown, source: string, options: FollowOptions): void {
    if (options.only === 'prices') {
      this.#replaceIfChanged(this.#routing, checkPrices(document, this.#known), source);
      this.#pricesSource = source;
      return;
    }
    const { providers } = this.#engine;
    const problems = followedProblems(
      this.#first,
      document,
      options,
      (name) => providers.get(name)?.compliance,
    );
    const { input } = resolveConfig(document, this.#known, problems);
    this.#replaceIfChanged(input, this.#prices, source);
  }

  #replaceIfChanged(routing: RoutingInput, prices: PricesInput | undefined, source: string): void {
    const isSame =
      changesBetween(this.#routing, routing).length === 0 &&
      changesBetween(this.#prices, prices).length === 0;
    if (!isSame) this.#replace(routing, prices, source);
  }

  #replace(routing: RoutingInput, prices: PricesInput | undefined, source: string): void {
    const before = this.current;
    const next = resolveConfig(withPrices(routing, prices), this.#known);
    this.#routing = routing;
    this.#prices = prices;
    this.current = next;
    this.#version += 1;
    this.#use(next);
    const { emitter } = this.#engine;
    if (!emitter.isHeard('config-change')) return;
    emitter.emit({
      type: 'config-change',
      ...this.#eventFields(source),
      tiers: [...next.tiers.keys()],
      changes: changesBetween(before.input, next.input),
      version: this.#version,
    });
  }

  #use(config: ResolvedConfig): void {
    this.#engine.limits.configure(config);
    this.#engine.budgets.configure(config);
    this.#engine.configs.configure(config);
  }

  #emitRejected(error: SignalboxError, source: string): void {
    this.#engine.emitter.emit({
      type: 'config-rejected',
      ...this.#eventFields(source),
      error: summarizeError(error),
      problems: error.problems ?? [],
    });
  }

  #eventFields(source: string) {
    const at = Math.round(this.#engine.runtime.now());
    return { at, callId: null, tier: null, tags: this.current.tags, source } as const;
  }
}

function listOf(source: string, date: string | undefined): PriceList {
  return { source, ...(date !== undefined && { date }) };
}

/** Adds prices under those of the configuration, which win. */
function withPrices(routing: RoutingInput, prices: PricesInput | undefined): RoutingInput {
  if (prices === undefined) return routing;
  return {
    ...routing,
    prices: { ...prices.prices, ...routing.prices },
    pricesDate: prices.pricesDate ?? routing.pricesDate,
  };
}

import type { EventOf, RouterEvent } from 'signalbox';

type End = EventOf<'call-end'>;

/** Totals of a router's events, for one feature or for all. Percentiles are of answered calls. */
export type Row = {
  readonly name: string;
  readonly requests: number;
  readonly ok: number;
  readonly failovers: number;
  readonly retries: number;
  readonly latencyMs: (quantile: number) => number;
  readonly usd: number;
};

function percentile(sorted: readonly number[], quantile: number): number {
  return sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)] ?? 0;
}

/** Collects events and sums them up by the tag `feature`. */
export function createTally() {
  const events: RouterEvent[] = [];
  const isEnd = (event: RouterEvent): event is End => event.type === 'call-end';

  function row(name: string, of: readonly RouterEvent[]): Row {
    const ends = of.filter(isEnd);
    const ok = ends.filter(({ status }) => status === 'ok');
    const sorted = ok.map(({ durationMs }) => durationMs).sort((a, b) => a - b);
    return {
      name,
      requests: of.filter(({ type }) => type === 'call-start').length,
      ok: ok.length,
      failovers: of.filter(({ type }) => type === 'failover').length,
      retries: of.filter(({ type }) => type === 'retry').length,
      latencyMs: (quantile) => percentile(sorted, quantile),
      usd: of.reduce((sum, event) => sum + ((event.type === 'cost' && event.usd) || 0), 0),
    };
  }

  return {
    /** For `router.on('*', …)`. */
    add: (event: RouterEvent): void => void events.push(event),
    byFeature(): readonly Row[] {
      const features = [...new Set(events.flatMap(({ tags }) => tags.feature ?? []))].sort();
      return features.map((feature) =>
        row(
          feature,
          events.filter(({ tags }) => tags.feature === feature),
        ),
      );
    },
    total: (): Row => row('all', events),
  };
}

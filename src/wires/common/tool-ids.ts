/** What a wire demands of the ids of tool calls. */
export type ToolIdRule = {
  readonly accepts: (id: string) => boolean;
  /** The `n`th id of ours, counted from 1. */
  readonly mint: (n: number) => string;
};

/** Ids of one conversation in the wire's spelling. */
export interface ToolIds {
  /** The id for a call. Each call of a conversation gets another one, even when the caller's repeat. */
  call(id: string): string;
  /** The id that the latest call with this id was given. */
  result(id: string): string;
}

/** Rewrites ids that the wire would refuse or that an earlier turn has used. The same input gives the same ids. */
export function createToolIds(rule: ToolIdRule): ToolIds {
  const used = new Set<string>();
  const latest = new Map<string, string>();
  let minted = 0;

  function fresh(): string {
    let id: string;
    do id = rule.mint(++minted);
    while (used.has(id));
    return id;
  }

  return {
    call(id) {
      const wireId = rule.accepts(id) && !used.has(id) ? id : fresh();
      used.add(wireId);
      latest.set(id, wireId);
      return wireId;
    },
    result: (id) => latest.get(id) ?? id,
  };
}

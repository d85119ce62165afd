/** The format a wire requires for the ids of tool calls. */
export type ToolIdRule = {
  readonly accepts: (id: string) => boolean;
  /** The `n`th generated id, counted from 1. */
  readonly generate: (n: number) => string;
};

/** Maps the tool call ids of one conversation to ids that the wire accepts. */
export interface ToolIds {
  /** The id for a call. It is unique in the conversation, even when the caller repeats an id. */
  call(id: string): string;
  /** The id assigned to the latest call with this id. */
  result(id: string): string;
}

/** Replaces ids that the wire would reject or that an earlier turn uses. The same input gives the same ids. */
export function createToolIds(rule: ToolIdRule): ToolIds {
  const used = new Set<string>();
  const latest = new Map<string, string>();
  let generated = 0;

  function fresh(): string {
    let id: string;
    do id = rule.generate(++generated);
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

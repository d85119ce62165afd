/** What a plugin found or decided. Contains names and numbers only: never text of a request or an answer. */
export type PolicyVerdict = {
  /**
   * `flag`: something was noticed, and passed on. `redact`: something was replaced. `block`: the call was blocked.
   * `deny`: a tool call was denied.
   */
  readonly kind: 'flag' | 'redact' | 'block' | 'deny';
  /** The rule that decided. */
  readonly rule?: string | undefined;
  /** How often each kind of finding occurred, or a score, by name. */
  readonly counts?: { readonly [name: string]: number } | undefined;
};

/** The state of an audit log: with it, a log that was cut before it, or changed, is found. */
export type AuditHead = {
  /** Lines written so far. */
  readonly lines: number;
  /** The head, for `signalbox audit verify --head`. Contains no content. */
  readonly head: string;
};

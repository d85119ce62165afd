import type { Focus } from './simulate.ts';

/** A mistake to plant in the engine, as a replacement in one of its files, to see whether the simulation finds it. */
export type Mutation = {
  readonly name: string;
  /** Takes more than 100 seeds to be found. */
  readonly isRare?: true;
  /** What every world must have to find it soon. */
  readonly focus?: Focus;
  readonly file: string;
  readonly search: string;
  readonly replace: string;
};

export const mutations: readonly Mutation[] = [
  {
    name: 'an abort counts as a failure of the target',
    file: 'engine/failures/decide.ts',
    search: "aborted: { same: 0, alone: 0, next: 'listed', circuit: false }",
    replace: "aborted: { same: 0, alone: 0, next: 'listed', circuit: true }",
  },
  {
    name: 'a half-open circuit lets all requests through',
    isRare: true,
    file: 'health/circuit.ts',
    search: 'return circuit.probe === undefined ? { allowed: true } :',
    replace: 'return circuit.state ? { allowed: true } :',
  },
  {
    name: 'a cost event is emitted twice',
    file: 'engine/attempt/attempt-cost.ts',
    search: "    trail.emit('cost', {",
    replace:
      "    trail.emit('cost', { ...cost, target: priced.target, usage }, tags);\n    trail.emit('cost', {",
  },
  {
    name: 'the cost of a failed attempt is not recorded',
    file: 'engine/attempt/attempt.ts',
    search: '    if (isUnbilled) await this.#cost.bill(usage, collected);\n',
    replace: '',
  },
  {
    name: 'an answer without a finish counts as complete',
    isRare: true,
    file: 'engine/attempt/attempt-stream.ts',
    search: '      this.#onFailure(ended);',
    replace: "      void ended;\n      this.#take([{ type: 'finish', finishReason: 'stop' }]);",
  },
  {
    name: 'a failed attempt keeps its slot under a limit',
    file: 'engine/attempt/grant.ts',
    search: '    this.#slot.release(departure);\n',
    replace: "    if (departure.outcome === 'ok') this.#slot.release(departure);\n",
  },
  {
    name: "a call does not remove its listener from the caller's signal",
    file: 'engine/core/scope.ts',
    search: "    this.#caller?.removeEventListener('abort', this.#onAbort);\n",
    replace: '',
  },
  {
    name: "a call's deadline is not cleared at its end",
    file: 'engine/core/scope.ts',
    search: '    this.#stopTimer();\n',
    replace: '',
  },
  {
    name: 'Retry-After is ignored',
    isRare: true,
    file: 'engine/chain/chain.ts',
    search: 'const until = retryAt ?? now + this.#backoffMs(target);',
    replace: 'const until = now + this.#backoffMs(target);',
  },
  {
    name: 'a reader does not get a restart part',
    file: 'engine/call/run-call.ts',
    search: 'if (interruption === undefined) return',
    replace: 'if (interruption === undefined || !attempt.continues) return',
  },
  {
    name: 'a silent target can use the whole deadline',
    isRare: true,
    file: 'engine/attempt/attempt-timeouts.ts',
    search: 'Math.min(share, remainingMs * (1 - keptForOthers))',
    replace: 'Math.max(share, remainingMs * 2)',
  },
  {
    name: 'a stalled answer can use the whole deadline',
    isRare: true,
    file: 'engine/attempt/attempt-timeouts.ts',
    search: 'const stallShare = 0.5;',
    replace: 'const stallShare = 50;',
  },
  {
    name: 'a server error stops the call',
    isRare: true,
    file: 'engine/failures/decide.ts',
    search: "server_error: { same: 1, alone: 2, next: 'yes', circuit: true }",
    replace: "server_error: { same: 1, alone: 2, next: 'listed', circuit: true }",
  },
  {
    name: 'a continued answer loses its beginning',
    isRare: true,
    file: 'engine/attempt/attempt-request.ts',
    search: 'text: before + rest',
    replace: 'text: rest',
  },
  {
    name: 'the loser of a hedge is not aborted',
    file: 'engine/call/hedge.ts',
    search: '    this.#scope.abort(this.#cut);\n',
    replace: '',
  },
  {
    name: 'what a call requires excludes no target',
    file: 'engine/chain/plan-call.ts',
    search: 'requirements?.unmet(target) ?? layers?.exclusion(target)',
    replace: 'layers?.exclusion(target)',
  },
  {
    name: 'a target of unknown price counts as cheap enough',
    file: 'routing/requirements.ts',
    search: '  if (usd === undefined) return',
    replace: '  if (usd === Number.NaN) return',
  },
  {
    name: 'calls of plugins need not meet what the call requires',
    file: 'engine/call/calls.ts',
    search: 'within: { requires, watchers, parent, spending }',
    replace: 'within: { requires: requires.slice(requires.length), watchers, parent, spending }',
  },
  {
    name: 'retries use up the attempts of an untried target',
    isRare: true,
    file: 'engine/failures/decide.ts',
    search: 'return untried > 0 && attemptsLeft <= untried;',
    replace: 'return untried > 0 && attemptsLeft < 0;',
  },
  {
    name: "one call's stale reference makes the target unavailable",
    file: 'wires/common/classify.ts',
    search: "return stale === undefined ? { code } : { code: 'invalid_request', stale };",
    replace: 'return { code };',
  },
  {
    name: "a firewall's page counts for the circuit",
    isRare: true,
    file: 'engine/failures/decide.ts',
    search: 'const isOfCall = isDeadline || isBlocked(error);',
    replace: 'const isOfCall = isDeadline;',
  },
  {
    name: 'a blocked event loop is taken for a silent vendor',
    isRare: true,
    file: 'engine/attempt/attempt-stream.ts',
    search: '      this.#deadline.excuse(lateMs + blockedMs);\n',
    replace: '',
  },
  {
    name: 'connections lost in a freeze count for the circuit',
    isRare: true,
    file: 'engine/attempt/attempt.ts',
    search: 'return !(isLost && this.#stream?.stoodStill === true);',
    replace: 'return true;',
  },
  {
    name: 'reconfigure forgets what is in flight',
    file: 'engine/limits/configured-limits.ts',
    search: 'owned.change(own(config.providerLimits, name) ?? noLimits, now);',
    replace: 'this.#providers.delete(name);',
  },
  {
    name: 'reconfigure forgets the waiting calls',
    file: 'engine/limits/limit-keeper.ts',
    search: '      queue.limitsChanged();\n',
    replace: '',
  },
  {
    name: 'a target is not tried again after its hedge won and broke off',
    isRare: true,
    file: 'engine/call/hedge.ts',
    search: '    this.#run.chain.again(this.plan);\n',
    replace: '',
  },
  {
    name: 'the reservation of an attempt that was not billed is not released',
    focus: 'budgets',
    file: 'engine/attempt/attempt-cost.ts',
    search: '    return reserved?.settle();',
    replace: '    return reserved && undefined;',
  },
  {
    name: 'the reservation of a failed attempt that was billed is settled twice',
    focus: 'budgets',
    file: 'engine/attempt/attempt-cost.ts',
    search: '    this.#reserved = undefined;\n    const settled',
    replace: '    const settled',
  },
  {
    name: 'a hedge reserves nothing',
    focus: 'budgets',
    file: 'engine/attempt/attempt-cost.ts',
    search: '    return after(engine.budgets.reserve(attempt)',
    replace:
      "    if (isHedge) return { type: 'free' };\n    return after(engine.budgets.reserve(attempt)",
  },
  {
    name: 'an attempt that starts at midnight counts for the day before',
    focus: 'budgets',
    file: 'budgets/windows.ts',
    search: 'now >= span.start && now < span.end',
    replace: 'now >= span.start && now <= span.end',
  },
  {
    name: 'a day on which the clock changes has 24 hours',
    focus: 'budgets',
    file: 'budgets/windows.ts',
    search: 'return { start: boundary(by), end: boundary(by + 1) };',
    replace: 'return { start: boundary(by), end: boundary(by) + 24 * hourMs };',
  },
  {
    name: 'a call that only open reservations keep out is refused',
    focus: 'budgets',
    file: 'engine/limits/budget-keeper.ts',
    search: 'const mayWait = mayFitLater && state.reserved > 0 &&',
    replace: 'const mayWait = mayFitLater && state.reserved < 0 &&',
  },
  {
    name: 'a call that waits for room is not woken',
    focus: 'budgets',
    file: 'budgets/waiting.ts',
    search: '      isFirst = false;\n      waiter.wake();\n',
    replace: '      isFirst = false;\n',
  },
  {
    name: 'the turns of a repair are not redacted',
    focus: 'plugins',
    isRare: true,
    file: 'plugins/policies/pii/redact-pii.ts',
    search: '      if (placeholders.isEmpty) return request;',
    replace:
      "      if (placeholders.isEmpty || (request.kind === 'chat' && request.isRepair)) return request;",
  },
  {
    name: 'a continuation has what the caller has read',
    focus: 'plugins',
    file: 'plugins/policies/pii/redact-pii.ts',
    search: '    redacts: true,\n',
    replace:
      "    redacts: true,\n    async *wrapAttempt(attempt, next) { for await (const batch of next()) yield batch.map((part) => part.type === 'text-delta' ? { ...part, delta: (ofCalls.get(attempt.call) ?? new Placeholders(labels)).restore(part.delta, 'text') } : part); },\n",
  },
  {
    name: 'a placeholder that arrives in pieces is not put back',
    focus: 'plugins',
    file: 'plugins/policies/pii/restored-parts.ts',
    search: 'const text = restorer.push(part.delta);',
    replace: 'const text = restorer.push(part.delta) + restorer.end();',
  },
  {
    name: 'a restarted answer begins with what was held back of the first one',
    focus: 'plugins',
    isRare: true,
    file: 'plugins/policies/pii/restored-parts.ts',
    search: 'restart: () => open.clear(),',
    replace: 'restart: () => undefined,',
  },
  {
    name: 'tenants share cached answers',
    focus: 'plugins',
    file: 'plugins/cache/content-key.ts',
    search: '[kind, tier, configured.key, tenant, request,',
    replace: '[kind, tier, configured.key, request,',
  },
  {
    name: 'tiers share cached answers',
    focus: 'plugins',
    file: 'plugins/cache/content-key.ts',
    search: '[kind, tier, configured.key, tenant, request,',
    replace: '[kind, tenant, request,',
  },
  {
    name: 'answers to other requests are taken from the cache',
    focus: 'plugins',
    file: 'plugins/cache/content-key.ts',
    search: 'tenant, request, answering,',
    replace: 'tenant, answering,',
  },
  {
    name: 'answers that were cut are kept',
    focus: 'plugins',
    file: 'plugins/cache/kept-answer.ts',
    search: "if (finishReason !== 'stop' && finishReason !== 'tool_calls') return false;",
    replace: "if (finishReason === 'content_filter') return false;",
  },
  {
    name: 'a cached answer costs what it cost at first',
    focus: 'plugins',
    file: 'plugins/cache/kept-answer.ts',
    search: '      usd: 0,\n',
    replace: '      usd: answer.cost.usd,\n',
  },
  {
    name: 'cached answers do not age',
    focus: 'plugins',
    file: 'plugins/cache/response-cache.ts',
    search: 'now - entry.at < Math.min(entry.ttlMs, ttlMs)',
    replace: 'now - entry.at < ttlMs',
  },
  {
    name: 'calls with tools are cached although they do not ask for it',
    focus: 'plugins',
    file: 'plugins/cache/response-cache.ts',
    search: 'return isVarying(call) ? undefined : { ttlMs: undefined };',
    replace: 'return { ttlMs: undefined };',
  },
  {
    name: 'a tool call that was denied is to be run by who shares the request',
    focus: 'plugins',
    isRare: true,
    file: 'plugins/cache/kept-answer.ts',
    search: "part.type === 'tool-call' && part.denied === undefined ?",
    replace: "part.type === 'tool-call' ?",
  },
  {
    name: 'the reader of a stream is told to start a denied tool call',
    focus: 'plugins',
    file: 'engine/call/plugin-layer.ts',
    search: 'before.length === 0 || isDenied ||',
    replace: 'before.length === 0 ||',
  },
];

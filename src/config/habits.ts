import { own } from '../internal/own.ts';

/**
 * Names that options have elsewhere, in lower case and without underscores, and their names here. Of several, the first
 * one that exists at the place applies.
 */
const habits: Readonly<Record<string, readonly string[]>> = {
  maxtokens: ['maxOutputTokens'],
  maxcompletiontokens: ['maxOutputTokens'],
  maxnewtokens: ['maxOutputTokens'],
  maxtokenstosample: ['maxOutputTokens'],
  timeout: ['timeouts.totalMs', 'totalMs'],
  timeoutms: ['timeouts.totalMs', 'totalMs'],
  requesttimeout: ['timeouts.totalMs', 'totalMs'],
  deadline: ['timeouts.totalMs', 'totalMs'],
  deadlinems: ['timeouts.totalMs', 'totalMs'],
  ttftms: ['firstTokenMs', 'timeouts.firstTokenMs'],
  ttft: ['firstTokenMs', 'timeouts.firstTokenMs'],
  stalltimeout: ['idleMs', 'timeouts.idleMs'],
  maxretries: ['attempts', 'retry.attempts'],
  numretries: ['attempts', 'retry.attempts'],
  retries: ['attempts', 'retry.attempts'],
  maxattempts: ['attempts'],
  limit: ['attempts'],
  mintimeout: ['minMs'],
  initialdelay: ['minMs'],
  initialdelayms: ['minMs'],
  basedelayms: ['minMs'],
  backoffms: ['minMs'],
  maxtimeout: ['maxMs'],
  maxdelayms: ['maxMs'],
  stream: ['transfer'],
  streaming: ['transfer'],
  model: ['targets', 'target'],
  models: ['targets'],
  deployments: ['targets'],
  providers: ['targets'],
  fallback: ['fallbackTier', 'targets'],
  fallbacks: ['fallbackTier'],
  fallbackmodels: ['targets'],
  routing: ['strategy'],
  routingstrategy: ['strategy'],
  loadbalancing: ['strategy'],
  circuitbreaker: ['circuit'],
  breaker: ['circuit'],
  threshold: ['consecutiveFailures'],
  failurethreshold: ['consecutiveFailures'],
  cooldownms: ['openMs'],
  cooldowntime: ['openMs'],
  resettimeout: ['openMs'],
  delayms: ['afterMs'],
  maxconcurrency: ['concurrency', 'limits.concurrency'],
  maxconcurrent: ['concurrency', 'limits.concurrency'],
  maxparallelrequests: ['concurrency', 'limits.concurrency'],
  concurrency: ['limits.concurrency'],
  rpm: ['limits.rpm'],
  tpm: ['limits.tpm'],
  requestsperminute: ['rpm', 'limits.rpm'],
  tokensperminute: ['tpm', 'limits.tpm'],
  systemprompt: ['system'],
  systemmessage: ['system'],
  systeminstruction: ['system'],
  instructions: ['system'],
  stopsequences: ['stop'],
  reasoningeffort: ['reasoning.effort'],
  thinking: ['reasoning'],
  thinkingbudget: ['reasoning.budgetTokens'],
  maxreasoningtokens: ['reasoning.budgetTokens'],
  maxtokensforreasoning: ['reasoning.budgetTokens'],
  responseformat: ['schema'],
  jsonschema: ['schema'],
  output: ['schema'],
  functions: ['tools'],
  functioncall: ['toolChoice'],
  abortsignal: ['signal'],
  metadata: ['tags'],
  labels: ['tags'],
  extrabody: ['providerOptions'],
  user: ['userId'],
  parameters: ['inputSchema'],
  promptcaching: ['cache'],
  maxinputtokens: ['contextWindow'],
  contextlength: ['contextWindow'],
  cost: ['prices'],
  pricing: ['prices'],
  price: ['prices'],
  inputcost: ['input'],
  outputcost: ['output'],
};

/** Where an option belongs whose name is right, and the place wrong. */
export type Home = { readonly what: string; readonly keys: readonly string[] };

/** The name in lower case, without separators. */
function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, '');
}

/** The name that an option has here, if its name is one from elsewhere. */
function habitOf(name: string, known: readonly string[]): string | undefined {
  const uses = own(habits, plain(name)) ?? [];
  return uses.find((use) => known.includes(use.split('.')[0] ?? use));
}

/** What to do about an unknown option; `undefined` if there is no better advice than the most similar name. */
export function habitAdvice(
  name: string,
  known: readonly string[],
  homes: readonly Home[],
): string | undefined {
  // The same name in another spelling.
  if (known.some((each) => plain(each) === plain(name))) return undefined;
  const use = habitOf(name, known);
  if (use !== undefined) return `did you mean "${use}"?`;
  for (const { what, keys } of homes) {
    const right = keys.includes(name) ? name : habitOf(name, keys);
    if (right !== undefined) return `"${right}" is an option of ${what}`;
  }
  return undefined;
}

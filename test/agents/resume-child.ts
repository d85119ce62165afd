import { readFileSync } from 'node:fs';
import { defineTool, resumeTools } from '../../src/agents.ts';
import { createRouter } from '../../src/router.ts';
import { fakeProvider } from '../../src/testing/fake-provider.ts';

/** Goes on with the state on stdin, whose calls are all approved, and prints what it did. */
const state = JSON.parse(readFileSync(0, 'utf8'));
const ran: unknown[] = [];
const provider = fakeProvider('deleted');
const router = createRouter({ providers: { a: provider }, tiers: { t: ['a/m'] } });
const tools = ['read', 'drop'].map((name) =>
  defineTool({
    name,
    inputSchema: { type: 'object' },
    destructive: name === 'drop',
    execute(input, { toolCallId, runId, step }) {
      ran.push({ name, input, toolCallId, runId, step });
      return 'dropped';
    },
  }),
);
const approvals = Object.fromEntries(process.argv.slice(2).map((id) => [id, true]));
const { status, messages, usd, steps } = await resumeTools(router, state, { tools, approvals })
  .result;
const [request] = provider.calls.map((call) => call.request);
console.log(JSON.stringify({ status, messages, usd, steps: steps.length, ran, request }));

// An agent with a destructive tool. Nobody approves: the volume stays. Then a person is asked, and says no hours later.
import { createRouter } from 'signalbox';
import { defineTool, resumeTools, runTools } from 'signalbox/agents';
import { z } from 'zod';
import { close, providers, simulators } from './providers.ts';

const router = createRouter({ providers, tiers: { agent: ['openai/gpt-5.4-mini'] } });
router.on('tool-denied', ({ tool, reason }) => console.log(`denied: ${tool} (${reason})`));

const volumes = new Set(['staging', 'production']);
const tools = [
  defineTool({
    name: 'read_log',
    description: 'The last lines of a log.',
    inputSchema: z.object({ service: z.string() }),
    execute: ({ service }) => `${service}: the credentials do not match those of the volume`,
  }),
  defineTool({
    name: 'delete_volume',
    description: 'Deletes a volume and its backups.',
    inputSchema: z.object({ id: z.string() }),
    destructive: true,
    execute: ({ id }) => ({ deleted: volumes.delete(id) }),
  }),
];

// Without a key, the simulator reads the log, wants to delete the volume, and ends with what it was told.
simulators.openai.answer(({ body }) => {
  const seen = JSON.stringify(body);
  if (!seen.includes('do not match')) {
    return { toolCalls: [{ name: 'read_log', input: { service: 'staging' } }] };
  }
  if (!seen.includes('Denied') && !seen.includes('deleted')) {
    return { toolCalls: [{ name: 'delete_volume', input: { id: 'production' } }] };
  }
  return seen.includes('Denied') ? 'Ask an administrator.' : 'I deleted the volume.';
});

const task = 'The credentials of the staging service do not work. Fix it.';
const alone = await runTools(router, 'agent', task, { tools, maxUsd: 0.5 }).result;
if (alone.status === 'done') console.log(`the agent: ${alone.completion.text}`);
console.log(`volumes: ${[...volumes].join(', ')}`);

// With `later`, the run is JSON until someone decides.
const waiting = await runTools(router, 'agent', task, { tools, approve: () => 'later' }).result;
if (waiting.status === 'suspended') {
  const stored = JSON.stringify(waiting.state);
  for (const { name, input } of waiting.pending) console.log('asks:', name, input);

  const approvals = Object.fromEntries(waiting.pending.map(({ id }) => [id, false]));
  const end = await resumeTools(router, JSON.parse(stored), { tools, approvals }).result;
  if (end.status === 'done') console.log(`after a no: ${end.completion.text}`);
}
console.log(`volumes: ${[...volumes].join(', ')}`);

await router.close();
await close();

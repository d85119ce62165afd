/**
 * The cost of `redactPii` for each kB of text: finding and replacing, and restoring a stream, as CPU time and as a ratio to
 * one pass of a simple regular expression in the same round: `node bench/pii.ts`. Medians of seven rounds.
 */
import type { PluginCall, PluginParts } from '../src/index.ts';
import { redactPii } from '../src/policies.ts';
import { median, medianRatio } from './measure.ts';

const rounds = 7;
const plugin = redactPii({ regions: ['US', 'GB', 'DE', 'FR', 'IT'] });
const sentence =
  'The parcel for order 48213 left the warehouse on Monday and arrives in two days. ';
const personal =
  'Write to ada@example.com or call +49 30 901820; card 4111 1111 1111 1111, from 91.4.56.7. ';
const rows = Array.from({ length: 400 }, (_, index) => ({
  id: index * 7919,
  created: '2026-05-12T10:30:45Z',
  note: 'SHIPPED',
}));
const texts = {
  prose: sentence.repeat(600),
  'prose, one sentence in ten with four values': (sentence.repeat(9) + personal).repeat(60),
  JSON: JSON.stringify(rows),
};

async function timeOf(act: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await act();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

/** Sends a text through the plugin, and its answer back in deltas of 12 characters. */
async function measure(text: string): Promise<readonly [number, number, number]> {
  const call = { options: {} } as PluginCall;
  const content = [{ type: 'text', text }] as const;
  const request = { kind: 'chat', messages: [{ role: 'user', content }] } as const;
  let sent = text;
  const redact = await timeOf(async () => {
    const result = await plugin.onRequest?.(request, call);
    if (result === undefined || !('kind' in result) || result.kind !== 'chat') return;
    const [part] = result.messages[0]?.content ?? [];
    if (part?.type === 'text') sent = part.text;
  });
  const deltas: PluginParts = (sent.match(/[\s\S]{1,12}/g) ?? []).map((delta) => ({
    type: 'text-delta',
    delta,
  }));
  const restore = await timeOf(() => {
    const hook = plugin.onParts?.(call);
    for (const delta of deltas) hook?.parts([delta]);
  });
  const control = await timeOf(() => text.replace(/[a-z]+@/g, ''));
  return [redact, restore, control];
}

const table: Record<string, object> = {};
for (const [name, text] of Object.entries(texts)) {
  for (let warm = 0; warm < 5; warm += 1) await measure(text);
  const results: (readonly number[])[] = [];
  for (let round = 0; round < rounds; round += 1) results.push(await measure(text));
  const kB = text.length / 1_000;
  const column = (index: number) => results.map((result) => (result[index] ?? 0) / kB);
  table[name] = {
    'redact µs/kB': median(column(0)).toFixed(0),
    'restore µs/kB': median(column(1)).toFixed(0),
    'redact to control': medianRatio(column(0), column(2)).toFixed(0),
  };
}
console.table(table);

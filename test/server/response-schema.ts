import { z } from 'zod';

/** Responses and their events, strictly as the public reference of OpenAI's API has them: an unknown field is an error. */

const status = z.enum(['in_progress', 'completed', 'incomplete']);

const outputText = z.strictObject({
  type: z.literal('output_text'),
  text: z.string(),
  annotations: z.array(z.never()),
  logprobs: z.array(z.never()),
});

const refusal = z.strictObject({ type: z.literal('refusal'), refusal: z.string() });

const content = z.discriminatedUnion('type', [outputText, refusal]);

const summary = z.strictObject({ type: z.literal('summary_text'), text: z.string() });

const item = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('message'),
    id: z.string().startsWith('msg_'),
    status,
    role: z.literal('assistant'),
    content: z.array(content),
  }),
  z.strictObject({
    type: z.literal('function_call'),
    id: z.string().startsWith('fc_'),
    status,
    call_id: z.string().min(1),
    name: z.string().min(1),
    arguments: z.string(),
  }),
  z.strictObject({
    type: z.literal('reasoning'),
    id: z.string().startsWith('rs_'),
    summary: z.array(summary),
    content: z.array(z.never()),
    encrypted_content: z.string().nullable(),
  }),
]);

const count = z.int().min(0);

const usage = z.strictObject({
  input_tokens: count,
  input_tokens_details: z.strictObject({ cached_tokens: count, cache_write_tokens: count }),
  output_tokens: count,
  output_tokens_details: z.strictObject({ reasoning_tokens: count }),
  total_tokens: count,
});

export const responseSchema = z.strictObject({
  id: z.string().startsWith('resp_'),
  object: z.literal('response'),
  created_at: z.int(),
  completed_at: z.int().nullable(),
  status: z.enum(['in_progress', 'completed', 'incomplete', 'failed']),
  background: z.boolean(),
  error: z.strictObject({ code: z.string(), message: z.string() }).nullable(),
  incomplete_details: z
    .strictObject({ reason: z.enum(['max_output_tokens', 'content_filter', 'steered']) })
    .nullable(),
  instructions: z.string().nullable(),
  max_output_tokens: z.int().nullable(),
  max_tool_calls: z.null(),
  metadata: z.record(z.string(), z.string()),
  model: z.string(),
  moderation: z.null(),
  output: z.array(item),
  parallel_tool_calls: z.boolean(),
  previous_response_id: z.null(),
  prompt_cache_key: z.string().nullable(),
  prompt_cache_retention: z.null(),
  reasoning: z.strictObject({ effort: z.string().nullable(), summary: z.string().nullable() }),
  safety_identifier: z.string().nullable(),
  service_tier: z.string(),
  store: z.boolean(),
  temperature: z.number().nullable(),
  text: z.strictObject({ format: z.looseObject({ type: z.string() }), verbosity: z.string() }),
  tool_choice: z.union([z.string(), z.looseObject({ type: z.string() })]),
  tools: z.array(z.looseObject({ type: z.string() })),
  top_logprobs: z.number(),
  top_p: z.number().nullable(),
  truncation: z.literal('disabled'),
  usage: usage.nullable(),
  user: z.null(),
  frequency_penalty: z.number(),
  presence_penalty: z.number(),
});

const inItem = { item_id: z.string(), output_index: count };
const inContent = { ...inItem, content_index: count };
const inSummary = { ...inItem, summary_index: count };

function event<const Type extends string, Shape extends z.core.$ZodLooseShape>(
  type: Type,
  shape: Shape,
) {
  return z.strictObject({ type: z.literal(type), sequence_number: count, ...shape });
}

const eventSchema = z.discriminatedUnion('type', [
  event('response.created', { response: responseSchema }),
  event('response.in_progress', { response: responseSchema }),
  event('response.completed', { response: responseSchema }),
  event('response.incomplete', { response: responseSchema }),
  event('response.failed', { response: responseSchema }),
  event('response.output_item.added', { output_index: count, item }),
  event('response.output_item.done', { output_index: count, item }),
  event('response.content_part.added', { ...inContent, part: content }),
  event('response.content_part.done', { ...inContent, part: content }),
  event('response.output_text.delta', {
    ...inContent,
    delta: z.string().min(1),
    logprobs: z.array(z.never()),
  }),
  event('response.output_text.done', {
    ...inContent,
    text: z.string(),
    logprobs: z.array(z.never()),
  }),
  event('response.refusal.delta', { ...inContent, delta: z.string().min(1) }),
  event('response.refusal.done', { ...inContent, refusal: z.string() }),
  event('response.reasoning_summary_part.added', { ...inSummary, part: summary }),
  event('response.reasoning_summary_part.done', { ...inSummary, part: summary }),
  event('response.reasoning_summary_text.delta', { ...inSummary, delta: z.string().min(1) }),
  event('response.reasoning_summary_text.done', { ...inSummary, text: z.string() }),
  event('response.function_call_arguments.delta', { ...inItem, delta: z.string().min(1) }),
  event('response.function_call_arguments.done', { ...inItem, arguments: z.string() }),
  event('error', {
    code: z.string().nullable(),
    message: z.string(),
    param: z.string().nullable(),
    error: z.looseObject({ message: z.string() }),
  }),
]);

export type ResponseEvent = z.infer<typeof eventSchema>;

/** The events, checked: each by its schema, in order of their numbers, and one item open at a time. */
export function checkedEvents(events: readonly unknown[]): readonly ResponseEvent[] {
  const checked = events.map((each) => eventSchema.parse(each));
  let open: number | undefined;
  let next = 0;
  for (const [index, each] of checked.entries()) {
    if (each.sequence_number !== index) throw new Error(`event ${index} has another number`);
    if (each.type === 'response.output_item.added') {
      if (open !== undefined || each.output_index !== next) throw new Error('opened out of order');
      open = next;
      next += 1;
    } else if ('output_index' in each && each.output_index !== open) {
      throw new Error(`${each.type} of an item that is not open`);
    } else if (each.type === 'response.output_item.done') open = undefined;
  }
  return checked;
}

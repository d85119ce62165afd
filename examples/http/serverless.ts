// Serverless (here: AWS Lambda with a function URL). What is outside of the handler stays warm between requests: the
// router with its circuits, learned limits and statistics, the SDKs, and the connections to the vendors.
import { errorResponse } from 'signalbox';
import { router } from './router.ts';

// Part of the cold start: loads the SDKs and the prices, and checks the keys.
await router.preload();

type FunctionUrlEvent = { readonly body?: string };
type LambdaContext = { getRemainingTimeInMillis(): number };

export async function handler({ body = '{}' }: FunctionUrlEvent, context: LambdaContext) {
  const { prompt } = JSON.parse(body);
  if (typeof prompt !== 'string') return { statusCode: 400 };
  try {
    // The call ends before the platform ends the function, which would report nothing.
    const totalMs = Math.max(1, context.getRemainingTimeInMillis() - 1_000);
    const answer = await router.complete('chat', prompt, { timeouts: { totalMs } });
    return { statusCode: 200, body: JSON.stringify({ text: answer.text }) };
  } catch (error) {
    const { status, headers, body: described } = errorResponse(error);
    return { statusCode: status, headers, body: JSON.stringify(described) };
  }
}

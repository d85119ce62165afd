// Next.js: app/api/chat/route.ts, for the AI SDK's useChat.
import { createUIMessageStreamResponse, type UIMessage } from 'ai';
import { errorResponse, type Message } from 'signalbox';
import { toUIMessageStream } from 'signalbox/ai-sdk';
import { router } from './router.ts';

/** Seconds that the platform gives a request: more than `totalMs` of the tier. */
export const maxDuration = 90;

/** The text of a message that the browser sends. */
function toMessage({ role, parts }: UIMessage): Message {
  const texts = parts.map((part) => (part.type === 'text' ? part.text : ''));
  // Instructions come from the server only.
  return { role: role === 'assistant' ? 'assistant' : 'user', content: texts.join('') };
}

export async function POST(request: Request): Promise<Response> {
  const { messages } = (await request.json()) as { messages: UIMessage[] };
  const stream = router.stream('chat', messages.map(toMessage), { signal: request.signal });
  try {
    await stream.started;
  } catch (error) {
    const { status, headers, body } = errorResponse(error);
    return Response.json(body, { status, headers });
  }
  return createUIMessageStreamResponse({ stream: toUIMessageStream(stream) });
}

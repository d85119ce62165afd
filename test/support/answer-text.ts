import type { ServerResponse } from 'node:http';

/** Events as Chat Completions sends them, with `[DONE]` at the end. */
export function chatStream(chunks: readonly unknown[]): string {
  return [...chunks.map((chunk) => JSON.stringify(chunk)), '[DONE]']
    .map((data) => `data: ${data}\n\n`)
    .join('');
}

/** Answers 200 with this text. */
export function answerText(text: string, contentType = 'text/event-stream') {
  return (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': contentType, 'x-request-id': 'req_1' });
    response.end(text);
  };
}

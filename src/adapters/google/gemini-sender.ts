import type { JsonObject } from '../../protocol/json.ts';
import type { ResponseCapture } from '../../transport/exchange.ts';
import { capturingFetch, type Fetch } from '../../transport/guarded-fetch.ts';
import type { GoogleClient } from './options.ts';

/** The SDK's methods. Each has its URL. */
export type Method = keyof GoogleClient['models'];

type GeminiRequest = {
  readonly model: string;
  /** The complete body in the format of the API. */
  readonly body: JsonObject;
  /** The turns or texts in the format of the SDK, which converts them. */
  readonly contents: unknown;
};

export type GeminiSender = {
  /** Sends a request. The response is passed to `capture`. */
  send(method: Method, request: GeminiRequest, capture: ResponseCapture): PromiseLike<unknown>;
};

/** Sends through a client of the SDK. All its requests go through the guard. */
export function sdkSender(client: GoogleClient, guard: Fetch): GeminiSender {
  return {
    send(method, { model, body, contents }, capture) {
      // The body already has the format of the API, so all of it except `contents` is passed as `extraBody`.
      const { contents: _, ...extraBody } = body;
      const fetch = capturingFetch(guard, capture);
      return client.models[method]({
        model,
        contents,
        config: {
          httpOptions: { fetch, extraBody, retryOptions: { attempts: 1 } },
          // Otherwise one call could become several billed calls.
          automaticContinuation: false,
        },
      });
    },
  };
}

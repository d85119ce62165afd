import type { JsonObject } from '../../protocol/json.ts';
import { capturingFetch, type Fetch } from '../../transport/guarded-fetch.ts';
import type { ResponseCapture } from '../../transport/response-capture.ts';
import type { GoogleClient } from './options.ts';

/** The SDK's methods, each of which is an address at the vendor's. */
export type Method = keyof GoogleClient['models'];

/** What is asked of a model. */
type Asked = {
  readonly model: string;
  /** In the API's words, and whole. */
  readonly body: JsonObject;
  /** The turns or texts as the SDK wants them, which makes something of its own of them. */
  readonly contents: unknown;
};

/** The way to the vendor. */
export type Road = {
  /** Sends a request; its answer comes by the capture. */
  send(method: Method, asked: Asked, capture: ResponseCapture): PromiseLike<unknown>;
};

/** The way through a client of the SDK, whose every request goes through the guard. */
export function sdkRoad(client: GoogleClient, guard: Fetch): Road {
  return {
    send(method, { model, body, contents }, capture) {
      // All of the body but `contents` travels as `extraBody`, since it is in the API's words already.
      const { contents: _, ...extraBody } = body;
      const fetch = capturingFetch(guard, capture);
      return client.models[method]({
        model,
        contents,
        config: {
          httpOptions: { fetch, extraBody, retryOptions: { attempts: 1 } },
          // One call would otherwise become several billed ones.
          automaticContinuation: false,
        },
      });
    },
  };
}

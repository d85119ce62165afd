import { APIConnectionError, APIError } from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type Fault,
  type SimulatedProviders,
  simulateProviders,
} from '../../../src/testing/simulate-providers.ts';
import {
  type Clients,
  chatBody,
  createClients,
  drain,
  errorOf,
  geminiBody,
  messagesBody,
  responsesBody,
  simulatorOf,
  textStreams,
  type WireName,
  wires,
} from '../simulator-clients.ts';

let simulators: SimulatedProviders;
let clients: Clients;
const text = 'Grüße an alle in der schönen Stadt Zürich 🎉🎉';

beforeAll(async () => {
  simulators = await simulateProviders();
  clients = createClients(simulators);
});
afterAll(() => simulators.close());
beforeEach(() => {
  simulators.reset();
  for (const wire of wires) simulatorOf(wire, simulators).answer(text);
});

/** Number of events after which each wire has sent a part of the text. */
const midway = {
  'openai-chat': 2,
  'openai-responses': 6,
  anthropic: 5,
  gemini: 2,
} as const satisfies Record<WireName, number>;

const stream = (wire: WireName, fault: Fault, signal?: AbortSignal) => {
  simulatorOf(wire, simulators).fault(fault);
  return textStreams(clients)[wire](signal);
};

/** Requests a unary answer on each wire. */
const unary = (wire: WireName): Promise<unknown> => {
  if (wire === 'anthropic') return clients.anthropic.messages.create(messagesBody);
  if (wire === 'gemini') return clients.google.models.generateContent(geminiBody);
  return wire === 'openai-chat'
    ? clients.openai.chat.completions.create(chatBody)
    : clients.openai.responses.create(responsesBody);
};

describe.each(wires)('on a stream of %s', (wire) => {
  const afterEvents = midway[wire];

  test('cut ends with an error after the text before it', async () => {
    const outcome = await drain(stream(wire, { type: 'cut', afterEvents }));
    expect(text.startsWith(outcome.text) && outcome.text !== '').toBe(true);
    expect(outcome.error).toMatchObject({ message: 'terminated' });
  });

  test('truncate ends normally, and the SDK does not detect it', async () => {
    const outcome = await drain(stream(wire, { type: 'truncate', afterEvents }));
    expect(outcome.error).toBeUndefined();
    expect(text.startsWith(outcome.text) && outcome.text !== '' && outcome.text !== text).toBe(
      true,
    );
  });

  test('truncate never sends the end marker', async () => {
    const outcome = await drain(stream(wire, { type: 'truncate', afterEvents: 1_000 }));
    expect(outcome).toEqual({ text });
    const wireText = await rawStream(wire);
    expect(wireText).not.toMatch(/"stop"|response\.completed|message_stop|"STOP"|DONE/);
  });

  test('stall sends nothing more until the caller aborts', async () => {
    const caller = new AbortController();
    const reading = drain(stream(wire, { type: 'stall', afterEvents }, caller.signal));
    const { log } = simulatorOf(wire, simulators);
    while (log[0]?.eventsSent !== afterEvents) await new Promise(setImmediate);
    caller.abort();
    const outcome = await reading;
    expect(outcome.text).not.toBe(text);
    await log[0]?.done;
    expect(log[0]).toMatchObject({ eventsSent: afterEvents, aborted: true });
  });

  test('stall-with-pings sends only pings', async () => {
    const fault = { type: 'stall-with-pings', afterEvents, everyMs: 1 } as const;
    simulatorOf(wire, simulators).fault(fault);
    const response = await fetchRaw(wire);
    let received = '';
    for await (const bytes of response.body ?? []) {
      received += Buffer.from(bytes).toString();
      if ((received.match(/keep-alive|event: ping/g) ?? []).length >= 4) break;
    }
    expect(received).not.toMatch(/"stop"|response\.completed|message_stop|"STOP"/);
  });

  test('error-in-stream is thrown after the text before it', async () => {
    const fault = { type: 'error-in-stream', afterEvents, kind: 'overloaded' } as const;
    const outcome = await drain(stream(wire, fault));
    expect(outcome.text).not.toBe('');
    expect(String(outcome.error)).toMatch(/overloaded|UNAVAILABLE/i);
  });

  test('malformed breaks one event, and the SDK fails', async () => {
    const outcome = await drain(stream(wire, { type: 'malformed', atEvent: afterEvents }));
    expect(outcome.error).toBeInstanceOf(Error);
    expect(outcome.text).not.toBe(text);
  });

  test('malformed leaves the other events intact', async () => {
    simulatorOf(wire, simulators).fault({ type: 'malformed', atEvent: afterEvents });
    const received = await rawStream(wire);
    const events = [...received.matchAll(/^data: (.*)$/gm)].map(([, data]) => data ?? '');
    const broken = events.filter((data) => data !== '[DONE]' && !parses(data));
    expect(broken).toEqual([events[afterEvents]]);
  });

  test.each([{ type: 'odd-bytes', size: 3 }, { type: 'crlf' }, { type: 'no-done' }] as const)(
    '$type does not change what the SDK returns',
    async (fault) => {
      expect(await drain(stream(wire, fault))).toEqual({ text });
    },
  );

  test('reset and down fail before the headers', async () => {
    const outcome = await drain(stream(wire, { type: 'reset' }));
    expect(rootCause(outcome.error)).toMatchObject({
      code: expect.stringMatching(/ECONNRESET|UND_ERR_SOCKET/),
    });
    const simulator = simulatorOf(wire, simulators);
    simulator.clear();
    simulator.down();
    expect((await drain(textStreams(clients)[wire]())).error).toBeDefined();
    simulator.up();
    expect(await drain(textStreams(clients)[wire]())).toEqual({ text });
    expect(simulator.log.map(({ fault, status }) => [fault, status])).toEqual([
      ['reset', undefined],
      ['down', undefined],
      [undefined, 200],
    ]);
  });

  test('silence sends no headers', async () => {
    const caller = new AbortController();
    const reading = drain(stream(wire, { type: 'silence' }, caller.signal));
    const { log } = simulatorOf(wire, simulators);
    while (log.length === 0) await new Promise(setImmediate);
    caller.abort();
    expect((await reading).text).toBe('');
    expect(log[0]?.status).toBeUndefined();
  });

  test('slow-first-token waits after headers and preamble', async () => {
    simulatorOf(wire, simulators).fault({ type: 'slow-first-token', ms: 600_000 });
    const caller = new AbortController();
    const response = await fetchRaw(wire, caller.signal);
    expect(response.status).toBe(200);
    const { log } = simulatorOf(wire, simulators);
    const preamble = { 'openai-chat': 1, 'openai-responses': 2, anthropic: 1, gemini: 0 }[wire];
    while (log[0]?.eventsSent !== preamble) await new Promise(setImmediate);
    caller.abort();
    await log[0]?.done;
    expect(log[0]?.eventsSent).toBe(preamble);
  });

  test('ignore-stream sends JSON, in which the SDK finds no events', async () => {
    const outcome = await drain(stream(wire, { type: 'ignore-stream' }));
    expect(outcome.text).toBe('');
    const { log } = simulatorOf(wire, simulators);
    expect(log[0]).toMatchObject({ status: 200, eventsSent: 0, fault: 'ignore-stream' });
  });
});

describe.each(wires)('on a unary answer of %s', (wire) => {
  test.each([
    ['cut', 'terminated'],
    ['truncate', /JSON/],
  ] as const)('%s fails', async (type, message) => {
    simulatorOf(wire, simulators).fault({ type, afterEvents: 1 });
    const error = await errorOf(unary(wire));
    expect(String(error)).toMatch(message);
  });

  // What each SDK returns or throws for HTML, an empty body and a stream.
  const outcomes = {
    'openai-chat': [/^<!doctype html>/, /^undefined$/, /^data: /],
    'openai-responses': [/^TypeError: .*'in'/, /^TypeError: .*'in'/, /^TypeError: .*'in'/],
    anthropic: [/^<!doctype html>/, /^undefined$/, /^event: message_start/],
    gemini: [/^SyntaxError/, /^SyntaxError/, /^SyntaxError/],
  }[wire];

  test.each(['html', 'empty', 'stream-anyway'] as const)('%s is not an answer', async (type) => {
    simulatorOf(wire, simulators).fault({ type });
    const outcome = await unary(wire).catch((error: unknown) => error);
    expect(String(outcome)).toMatch(
      outcomes[{ html: 0, empty: 1, 'stream-anyway': 2 }[type]] ?? /^$/,
    );
    expect(simulatorOf(wire, simulators).log[0]?.status).toBe(200);
  });

  test('json-error-200 is returned as an answer', async () => {
    simulatorOf(wire, simulators).fault({ type: 'json-error-200', kind: 'overloaded' });
    const data = await unary(wire);
    expect(data).not.toHaveProperty('choices');
    expect(data).not.toHaveProperty('candidates');
    if (wire !== 'gemini') expect(data).toHaveProperty('error');
  });
});

describe('an error', () => {
  test.each([
    ['rate_limited', 429, 429, 429, 429],
    ['quota_exhausted', 429, 429, 429, 429],
    ['auth', 401, 401, 401, 400],
    ['permission', 403, 403, 403, 403],
    ['model_not_found', 404, 400, 404, 404],
    ['context_length', 400, 400, 400, 400],
    ['overloaded', 503, 503, 529, 503],
    ['server_error', 500, 500, 500, 500],
    ['invalid_request', 400, 400, 400, 400],
    ['unsupported', 400, 400, 400, 400],
  ] as const)('of kind %s has the status of each vendor', async (kind, ...statuses) => {
    for (const [index, wire] of wires.entries()) {
      simulatorOf(wire, simulators).clear();
      simulatorOf(wire, simulators).fault({ type: 'status', kind });
      expect(await errorOf(unary(wire))).toMatchObject({ status: statuses[index] });
      const { error } = await drain(textStreams(clients)[wire]());
      expect(error).toMatchObject({ status: statuses[index] });
    }
  });

  test('of OpenAI has code, type, request id, limits and Retry-After', async () => {
    simulators.openai.fault({ type: 'status', kind: 'rate_limited', retryAfterSeconds: 7 });
    const error = await errorOf(clients.openai.chat.completions.create(chatBody));
    if (!(error instanceof APIError)) throw error;
    expect(error).toMatchObject({ status: 429, code: 'rate_limit_exceeded', type: 'requests' });
    expect(error.headers?.get('retry-after')).toBe('7');
    expect(error.headers?.get('x-ratelimit-remaining-requests')).toBe('0');
    expect(error.requestID).toMatch(/^req_/);
  });

  test('of Anthropic has type, error code, request id and limits', async () => {
    simulators.anthropic.fault({ type: 'status', kind: 'quota_exhausted' }, { times: 1 });
    simulators.anthropic.fault({ type: 'status', status: 429, retryAfterSeconds: 7 }, { times: 1 });
    simulators.anthropic.fault({ type: 'status', kind: 'overloaded' });
    expect(await errorOf(clients.anthropic.messages.create(messagesBody))).toMatchObject({
      status: 429,
      errorCode: 'enforced_spend_limit_reached',
      requestID: expect.stringMatching(/^req_/),
    });
    const limited = await errorOf(clients.anthropic.messages.create(messagesBody));
    expect(limited).toMatchObject({ status: 429, type: 'rate_limit_error', errorCode: null });
    const { headers } = limited as { headers: Headers };
    expect(headers.get('retry-after')).toBe('7');
    expect(headers.get('anthropic-ratelimit-requests-remaining')).toBe('0');
    expect(await errorOf(clients.anthropic.messages.create(messagesBody))).toMatchObject({
      status: 529,
      type: 'overloaded_error',
    });
  });

  test('of Gemini has its details in the body', async () => {
    simulators.google.fault({ type: 'status', kind: 'quota_exhausted', retryAfterSeconds: 34 });
    const error = await errorOf(clients.google.models.generateContent(geminiBody));
    const body = JSON.parse((error as Error).message);
    expect(body.error).toMatchObject({ code: 429, status: 'RESOURCE_EXHAUSTED' });
    expect(JSON.stringify(body.error.details)).toMatch(/PerDay.*"retryDelay":"34s"/);
  });

  test('of Gemini to a stream request is JSON with the content type of a stream, which the SDK wraps twice', async () => {
    const { error } = await drain(stream('gemini', { type: 'status', kind: 'overloaded' }));
    const outer = JSON.parse((error as Error).message);
    expect(JSON.parse(outer.error.message).error).toMatchObject({ status: 'UNAVAILABLE' });
  });

  test('of Gemini for a blocked prompt is a 200 without candidates', async () => {
    simulators.google.fault({ type: 'status', kind: 'content_filter' });
    const response = await clients.google.models.generateContent(geminiBody);
    expect(response.promptFeedback?.blockReason).toBe('PROHIBITED_CONTENT');
    expect(response.candidates).toBeUndefined();
    expect(await drain(textStreams(clients).gemini())).toEqual({ text: '' });
  });

  test('has the status, code, message, headers or body of the fault', async () => {
    const custom = {
      type: 'status',
      status: 418,
      code: 'tea',
      message: 'short and stout',
    } as const;
    simulators.openai.fault({ ...custom, headers: { 'x-pot': 'yes' } }, { times: 1 });
    simulators.openai.fault({ ...custom, body: '<html>418</html>' });
    const first = await errorOf(clients.openai.chat.completions.create(chatBody));
    expect(first).toMatchObject({ status: 418, code: 'tea', message: '418 short and stout' });
    expect((first as APIError).headers?.get('x-pot')).toBe('yes');
    const second = await errorOf(clients.openai.chat.completions.create(chatBody));
    expect(second).toMatchObject({ status: 418, message: expect.stringContaining('<html>') });
  });

  test.each([
    [401, 'invalid_api_key'],
    [404, 'model_not_found'],
    [429, 'rate_limit_exceeded'],
    [503, 'server_is_overloaded'],
    [502, null],
  ] as const)('with only status %i has the usual code of that status', async (status, code) => {
    simulators.openai.fault({ type: 'status', status });
    const error = await errorOf(clients.openai.chat.completions.create(chatBody));
    expect(error).toMatchObject({ status, code });
  });
});

describe('the queue of faults', () => {
  const run = async (times: number, ownClients = clients) => {
    const outcomes: string[] = [];
    for (let index = 0; index < times; index += 1) {
      const outcome = await ownClients.openai.chat.completions.create(chatBody).then(
        () => 'ok',
        (error: unknown) =>
          error instanceof APIConnectionError ? 'reset' : String((error as APIError).status),
      );
      outcomes.push(outcome);
    }
    return outcomes;
  };
  const error = (status: number) => ({ type: 'status', status }) as const;

  test('applies each fault its number of times, in order', async () => {
    simulators.openai.fault(error(500), { times: 2 });
    simulators.openai.fault(error(400), { times: 1 });
    simulators.openai.fault(error(403), { times: 0 });
    expect(await run(4)).toEqual(['500', '500', '400', 'ok']);
  });

  test('keeps a fault until it is cleared or removed', async () => {
    const remove = simulators.openai.fault(error(500));
    simulators.openai.fault(error(400));
    expect(await run(2)).toEqual(['500', '500']);
    remove();
    expect(await run(2)).toEqual(['400', '400']);
    simulators.openai.clear();
    expect(await run(1)).toEqual(['ok']);
  });

  test('applies a fault only to matching requests and keys', async () => {
    simulators.openai.fault(error(500), { times: 1, when: ({ wire }) => wire !== 'openai-chat' });
    simulators.openai.fault(error(429), { key: 'other' });
    expect(await run(2)).toEqual(['ok', 'ok']);
    expect(await run(1, createClients(simulators, 'other'))).toEqual(['429']);
    expect(await errorOf(clients.openai.responses.create(responsesBody))).toMatchObject({
      status: 500,
    });
  });

  test('repeats flapping without end, or for the given number of requests', async () => {
    const fault = { type: 'flapping', up: 2, down: 1, fault: error(500) } as const;
    simulators.openai.fault(fault, { times: 5 });
    expect(await run(7)).toEqual(['ok', 'ok', '500', 'ok', 'ok', 'ok', 'ok']);
    simulators.openai.fault(fault);
    expect(await run(6)).toEqual(['ok', 'ok', '500', 'ok', 'ok', '500']);
  });

  test('runs a sequence once, or the given number of times', async () => {
    const fault = { type: 'sequence', faults: [error(500), 'ok', { type: 'reset' }] } as const;
    simulators.openai.fault(fault);
    expect(await run(4)).toEqual(['500', 'ok', 'reset', 'ok']);
    simulators.openai.fault(fault, { times: 2 });
    expect(await run(7)).toEqual(['500', 'ok', 'reset', '500', 'ok', 'reset', 'ok']);
  });
});

const requests = {
  'openai-chat': ['/chat/completions', { ...chatBody, stream: true }],
  'openai-responses': ['/responses', { ...responsesBody, stream: true }],
  anthropic: ['/v1/messages', { ...messagesBody, stream: true }],
  gemini: [
    '/v1/models/gemini-3-flash:streamGenerateContent?alt=sse',
    { contents: [{ parts: [{ text }] }] },
  ],
} as const satisfies Record<WireName, readonly [string, object]>;

function fetchRaw(wire: WireName, signal?: AbortSignal): Promise<Response> {
  const [path, body] = requests[wire];
  return fetch(`${simulatorOf(wire, simulators).baseURL}${path}`, {
    method: 'POST',
    headers: { authorization: 'Bearer key', 'anthropic-version': '2023-06-01' },
    body: JSON.stringify(body),
    ...(signal && { signal }),
  });
}

async function rawStream(wire: WireName): Promise<string> {
  return (await fetchRaw(wire)).text();
}

function parses(data: string): boolean {
  try {
    JSON.parse(data);
    return true;
  } catch {
    return false;
  }
}

function rootCause(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootCause(error.cause) : error;
}

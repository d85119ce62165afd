// MCP over HTTP: any MCP client that has the token may call the tier "chat".
import { createHash, timingSafeEqual } from 'node:crypto';
import { createAdaptorServer } from '@hono/node-server';
import {
  createMcpHandler,
  hostHeaderValidationResponse,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  OAuthError,
  originValidationResponse,
  requireBearerAuth,
} from '@modelcontextprotocol/server';
import { createMcpServer } from 'signalbox/mcp';
import { router } from './http/router.ts';

const digest = (text: string) => createHash('sha256').update(text).digest();
const token = digest(process.env.MCP_TOKEN ?? crypto.randomUUID());

const authenticate = requireBearerAuth({
  verifier: {
    async verifyAccessToken(given) {
      if (!timingSafeEqual(digest(given), token)) {
        throw new OAuthError('invalid_token', 'unknown token');
      }
      return { token: given, clientId: 'ada', scopes: [], expiresAt: Date.now() / 1_000 + 60 };
    },
  },
});

async function answer(request: Request): Promise<Response> {
  // A web page can send requests to servers on this computer.
  const rejected =
    hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
    originValidationResponse(request, localhostAllowedOrigins());
  if (rejected) return rejected;
  const authInfo = await authenticate(request);
  if (authInfo instanceof Response) return authInfo;
  const { signal } = request;
  const tags = { subject: authInfo.clientId };
  const handler = createMcpHandler(() =>
    createMcpServer(router, { tiers: ['chat'], tags, signal }),
  );
  return handler.fetch(request, { authInfo });
}

export const server = createAdaptorServer({ fetch: answer });
server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1');

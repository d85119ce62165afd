export {
  type Access,
  type ApiKey,
  type Authenticate,
  apiKeys,
} from './apps/server/access.ts';
export { createHandler, type Handler, type HandlerOptions } from './apps/server/create-handler.ts';
export { toNodeListener } from './apps/server/node-listener.ts';

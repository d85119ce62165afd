import type { ResolvedTarget } from '../config/resolve.ts';
import { SignalboxError } from '../errors.ts';
import type { CallDefaults } from '../protocol/call-options.ts';
import type { Message, NormalMessage } from '../protocol/message.ts';
import type { NormalTool, Tool } from '../protocol/request.ts';
import type { Call } from './engine.ts';
import { toJsonSchema } from './json-schema.ts';

const roles: readonly string[] = ['system', 'user', 'assistant', 'tool'];

/**
 * The messages with every content a list of parts.
 * @throws SignalboxError `config` that names the message that is no message.
 */
export function normalizeMessages(messages: string | readonly Message[]): readonly NormalMessage[] {
  const list: readonly Message[] =
    typeof messages === 'string' ? [{ role: 'user', content: messages }] : messages;
  if (!Array.isArray(list) || list.length === 0) {
    throw new SignalboxError(
      'config',
      'messages: must be a string or a list with at least one message',
    );
  }
  return list.map((message, index) => {
    if (typeof message !== 'object' || message === null || !roles.includes(message.role)) {
      throw new SignalboxError(
        'config',
        `messages[${index}].role: must be one of ${roles.map((role) => `"${role}"`).join(', ')}`,
      );
    }
    const { role, content } = message;
    if (typeof content === 'string') return { role, content: [{ type: 'text', text: content }] };
    if (Array.isArray(content)) return { role, content };
    throw new SignalboxError(
      'config',
      `messages[${index}].content: must be a string or a list of parts`,
    );
  });
}

/** The tools with plain schemas. */
export function normalizeTools(
  tools: readonly Tool[] | undefined,
): readonly NormalTool[] | undefined {
  return tools?.map((tool, index) => ({
    ...tool,
    inputSchema: toJsonSchema(tool.inputSchema, `tools[${index}].inputSchema`),
  }));
}

/** The options that hold for this target: the call's own over those of the configuration. */
export function optionsFor(call: Call, target: ResolvedTarget): CallDefaults {
  const { providerOptions } = call.options;
  return {
    ...target.options,
    ...call.options,
    ...(providerOptions !== undefined && {
      providerOptions: { ...target.options.providerOptions, ...providerOptions },
    }),
  };
}

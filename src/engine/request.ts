import type { ResolvedTarget } from '../config/resolve.ts';
import { SignalboxError } from '../errors.ts';
import type { CallDefaults } from '../protocol/call-options.ts';
import type { Message, NormalMessage, Part } from '../protocol/message.ts';
import type { NormalTool, Tool } from '../protocol/request.ts';
import type { Call } from './engine.ts';
import { toJsonSchema } from './json-schema.ts';

const roles: readonly string[] = ['system', 'user', 'assistant', 'tool'];

const partTypes = {
  text: true,
  image: true,
  audio: true,
  file: true,
  reasoning: true,
  refusal: true,
  'tool-call': true,
  'tool-result': true,
} as const satisfies Record<Part['type'], true>;

function checkPart(part: Part, path: string): void {
  if (typeof part === 'object' && part !== null && Object.hasOwn(partTypes, part.type)) return;
  const types = Object.keys(partTypes).map((type) => `"${type}"`);
  throw new SignalboxError('config', `${path}.type: must be one of ${types.join(', ')}`);
}

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
    if (Array.isArray(content)) {
      for (const [at, part] of content.entries())
        checkPart(part, `messages[${index}].content[${at}]`);
      return { role, content };
    }
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

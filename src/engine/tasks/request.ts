import { SignalboxError } from '../../errors.ts';
import { quoted, quotedList } from '../../internal/quoted.ts';
import type { Message, NormalMessage } from '../../protocol/message.ts';
import type { NormalTool, Tool, ToolChoice } from '../../protocol/request.ts';
import { toJsonSchema } from '../core/json-schema.ts';
import { checkPart } from './check-part.ts';

const roles: readonly string[] = ['system', 'user', 'assistant', 'tool'];

const toolTurn = 'a tool turn holds "tool-result" parts, each with the id of its call';

function wrong(path: string, what: string): SignalboxError {
  return new SignalboxError('config', `${path}: ${what}`);
}

/**
 * The messages with every content a list of parts.
 * @throws SignalboxError `config` that names the message that is no message.
 */
export function normalizeMessages(messages: string | readonly Message[]): readonly NormalMessage[] {
  const list: readonly Message[] =
    typeof messages === 'string' ? [{ role: 'user', content: messages }] : messages;
  if (!Array.isArray(list) || list.length === 0) {
    throw wrong('messages', 'must be a string or a list with at least one message');
  }
  // Not `map`, which passes over holes.
  return Array.from(list, (message, index) => {
    const path = `messages[${index}]`;
    if (typeof message !== 'object' || message === null || !roles.includes(message.role)) {
      const known = roles.map((role) => `"${role}"`).join(', ');
      throw wrong(`${path}.role`, `must be one of ${known}`);
    }
    const { role, content } = message;
    if (typeof content === 'string') {
      if (role === 'tool') throw wrong(`${path}.content`, toolTurn);
      return { role, content: [{ type: 'text', text: content }] };
    }
    if (!Array.isArray(content)) {
      throw wrong(`${path}.content`, 'must be a string or a list of parts');
    }
    for (const [at, part] of content.entries()) {
      checkPart(part, `${path}.content[${at}]`);
      if (role === 'tool' && part.type !== 'tool-result') {
        throw wrong(`${path}.content[${at}]`, toolTurn);
      }
    }
    return { role, content };
  });
}

/**
 * The tools with plain schemas.
 * @throws SignalboxError `config` for two tools of one name, and for input that is no object.
 */
export function normalizeTools(
  tools: readonly Tool[] | undefined,
): readonly NormalTool[] | undefined {
  const names = new Set<string>();
  return tools?.map((tool, index) => {
    const path = `tools[${index}]`;
    if (names.has(tool.name))
      throw wrong(`${path}.name`, `there is a tool ${quoted(tool.name)} already`);
    names.add(tool.name);
    const inputSchema = toJsonSchema(tool.inputSchema, `${path}.inputSchema`);
    const { type = 'object' } = inputSchema;
    if (type !== 'object') {
      throw wrong(`${path}.inputSchema`, "must be an object's: every vendor calls tools with one");
    }
    return { ...tool, inputSchema };
  });
}

/**
 * Holds the choice against the tools there are.
 * @throws SignalboxError `config` for a choice that no answer could follow.
 */
export function checkToolChoice(
  choice: ToolChoice | undefined,
  tools: readonly NormalTool[] | undefined,
): void {
  const names = tools?.map(({ name }) => name) ?? [];
  if (choice === 'required' && names.length === 0) {
    throw wrong('toolChoice', '"required" needs tools');
  }
  if (typeof choice !== 'object' || names.includes(choice.name)) return;
  const hint = names.length === 0 ? 'there are no tools' : `there is ${quotedList(names)}`;
  throw wrong('toolChoice.name', `no tool is called ${quoted(choice.name)}; ${hint}`);
}

import type { Capability } from '../../protocol/provider.ts';
import type { ModelCapabilities } from './profile.ts';

const text: readonly Capability[] = ['tools', 'structured-output'];
const textAndImages: readonly Capability[] = ['vision', ...text];

/** Open-weight models of all vendors. A model that is not here has the usual capabilities of its vendor. */
const openWeights: readonly ModelCapabilities[] = [
  { pattern: /embed|rerank|guard|whisper/i, capabilities: [] },
  { pattern: /omni/i, capabilities: ['vision', 'audio', ...text] },
  {
    pattern: /vision|[-_.\d]vl\b|vl\d\b|ocr|llava|pixtral|llama-?4|minicpm-v/i,
    capabilities: textAndImages,
  },
  { pattern: /gpt-oss|llama-?[23]|mixtral|deepseek|devstral|codestral/i, capabilities: text },
  {
    pattern: /qwen-?(?:2|2\.5|3)(?![.\d])|qwq|kimi-k2(?!\.[5-9])|glm-4\.[5-7](?!v)/i,
    capabilities: text,
  },
];

/**
 * Models with fewer capabilities than their vendor's other models. Compiled in November 2026 from the vendors' lists of
 * models. A missing row only causes rejected calls. A wrong row would withhold calls that the model can answer.
 */
export const modelCapabilities = {
  openWeights,
  mistral: [
    { pattern: /^voxtral/, capabilities: ['audio', ...text] },
    { pattern: /^(?:codestral|open-mi[sx]tral|mistral-tiny|mistral-saba)/, capabilities: text },
    { pattern: /^(?:mistral-(?:large|small)|ministral-\d+b)-24/, capabilities: text },
  ],
  xai: [{ pattern: /^grok-(?:3|code|2(?!-vision)|beta)/, capabilities: text }],
  // Groq's compound models choose their tools.
  groq: [{ pattern: /compound/, capabilities: ['structured-output'] }, ...openWeights],
  cohere: [
    { pattern: /vision/, capabilities: ['vision', 'structured-output'] },
    { pattern: /^command-(?:r|a-0|a-reasoning|a-translate)/, capabilities: text },
  ],
  moonshot: [
    { pattern: /vision/, capabilities: textAndImages },
    { pattern: /^(?:moonshot-v1|kimi-k2(?!\.[5-9])|kimi-thinking)/, capabilities: text },
  ],
  qwen: [
    { pattern: /omni/, capabilities: ['vision', 'audio', ...text] },
    { pattern: /vl|qvq|ocr/, capabilities: textAndImages },
    { pattern: /^(?:qwen3?-(?:max|coder)|qwq|qwen2\.5|qwen3-\d)/, capabilities: text },
  ],
} as const satisfies Record<string, readonly ModelCapabilities[]>;

import type { Level, TextSource } from './rules.ts';

/** A sign that has no words: `at` is its index in the text. */
export type HiddenSign = { readonly rule: string; readonly level: Level; readonly at: number };

type Search = {
  readonly rule: string;
  readonly pattern: RegExp;
  /** The level, or `undefined` if this match is no sign. */
  level(match: RegExpExecArray, source: TextSource, text: string): Level | undefined;
};

const rightToLeft = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/;
const isUntrusted = (source: TextSource): Level => (source === 'untrusted' ? 'strong' : 'medium');

/** Names in a link under which a page would receive what the model knows. */
const asksForData =
  /[{[<$]|%7b|%5b|%3c|secret|token|password|passwd|credential|apikey|api_key|conversation|history|\bdata\b|payload|exfil|leak|stolen|summary|prompt|message|base64|user_?info|chat|context|insert/i;
const placeholder = /[{[<]|%7b|%5b|%3c|insert|your_|_here/i;

/** Every pattern reads each character a bounded number of times. */
const searches: readonly Search[] = [
  {
    rule: 'hidden-characters',
    // Tags, but for those that make the flag of a region: they follow a black flag.
    pattern: /(?:\u{1f3f4})?[\u{e0020}-\u{e007f}]+/gu,
    level: ([tags]) => {
      if (tags.startsWith('\u{1f3f4}')) return tags.length <= 16 ? undefined : 'strong';
      return tags.length >= 8 ? 'strong' : 'weak';
    },
  },
  {
    rule: 'hidden-characters',
    pattern: /(?:[\u200b-\u200d\u2060-\u2064\u180e\ufeff]|[\u{e0100}-\u{e01ef}]){6,}/gu,
    level: () => 'strong',
  },
  { rule: 'hidden-characters', pattern: /[\ufe00-\ufe0f]{6,}/g, level: () => 'strong' },
  {
    rule: 'reversed-text',
    pattern: /[\u202d\u202e]/g,
    level: (_, __, text) => (rightToLeft.test(text) ? 'weak' : 'medium'),
  },
  {
    rule: 'bidi-controls',
    pattern: /[\u202a-\u202c\u2066-\u2069]/g,
    level: (_, __, text) => (rightToLeft.test(text) ? undefined : 'weak'),
  },
  {
    rule: 'role-marker',
    pattern:
      /<\|(?:im_start|im_end|im_sep|system|user|assistant|endoftext|eot_id|begin_of_text|start_header_id|end_header_id|end)\|>|\[\/?INST\]|<<\/?SYS>>|<\/?(?:start|end)_of_turn>|\[\/?SYSTEM_PROMPT\]/gi,
    level: (_, source) => isUntrusted(source),
  },
  {
    rule: 'role-line',
    pattern:
      /(?:^|\n)[ \t#*>[(<{=-]{0,8}(?:system|assistant|developer|admin|administrator|human|user|instructions?|ai|new instructions?|system (?:prompt|message|note|override|instructions?|update))[\])>}*=-]{0,4}[ \t]{0,4}:/gi,
    level: ([line], source) =>
      source === 'untrusted' && /system|assistant|developer|admin|new/i.test(line)
        ? 'medium'
        : 'weak',
  },
  {
    rule: 'role-tag',
    pattern:
      /<\/?(?:system|system_prompt|system-prompt|important|instructions?|admin|developer|assistant|tool_result|tool_response|function_results?|untrusted|user_input|context|document|documents)>|\[\/?(?:system|admin|assistant)\]|\{\{?#?(?:system|assistant)(?:~|\}\})/gi,
    level: (_, source) => (source === 'untrusted' ? 'medium' : undefined),
  },
  {
    rule: 'end-marker',
    pattern:
      /[-=#*]{3,8} {0,2}(?:end|begin|start|stop)(?: of)?(?: the)? (?:prompt|context|document|input|user input|instructions?|system prompt|system message|message|conversation|text|data|admin instructions?)/gi,
    level: (_, source) => (source === 'untrusted' ? 'medium' : 'weak'),
  },
  {
    rule: 'exfiltration-image',
    pattern: /!\[[^\]\n]{0,200}\] {0,2}\( {0,2}<?(?:https?:)?\/\/[^\s)]{1,2000}/gi,
    level: ([link], source) => imageLevel(link.slice(link.indexOf('](') + 2), source),
  },
  {
    rule: 'exfiltration-image',
    pattern: /<img[^>\n]{1,200}src {0,2}= {0,2}["']?(?:https?:)?\/\/[^\s"'>]{1,2000}/gi,
    level: ([tag], source) => imageLevel(tag.slice(tag.search(/\/\//)), source),
  },
  {
    rule: 'exfiltration-image',
    pattern: /(?:^|\n) {0,3}\[[^\]\n]{1,100}\]: {0,4}<?https?:\/\/[^\s]{1,2000}/gi,
    level: ([line], source, text) =>
      text.includes('![') ? imageLevel(line.slice(line.indexOf('://')), source) : undefined,
  },
  {
    rule: 'override-instructions',
    // Chinese, Japanese and Korean, which do not write spaces or write them elsewhere.
    pattern:
      /(?:忽略|无视|無視|忘记|忘記|忘掉|不要理会|忽視)[^。！？\n]{0,16}(?:指令|指示|提示|命令|规则|規則|说明|說明|要求|内容|內容|设定)|(?:指示|命令|ルール|プロンプト|指令)(?:を|は)?[^。！？\n]{0,8}(?:無視|忘れ)|(?:지시|명령|프롬프트|규칙|지침)[^.!?\n]{0,12}(?:무시|잊)/g,
    level: () => 'strong',
  },
];

/** A picture whose address carries what the model would fill in. */
function imageLevel(link: string, source: TextSource): Level | undefined {
  const query = link.slice(Math.max(link.indexOf('?'), 0));
  const carries = link.includes('?') ? query : '';
  if (placeholder.test(carries) || placeholder.test(link)) return isUntrusted(source);
  if (source === 'user') return undefined;
  return carries !== '' && asksForData.test(carries) ? 'medium' : undefined;
}

/** More matches of a rule change nothing. */
const maxMatches = 20;

/** What is hidden in a text, or pretends to be something else than text. */
export function hiddenSigns(text: string, source: TextSource): readonly HiddenSign[] {
  const signs: HiddenSign[] = [];
  for (const { rule, pattern, level } of searches) {
    let matches = 0;
    for (const match of text.matchAll(pattern)) {
      const found = level(match, source, text);
      if (found !== undefined) signs.push({ rule, level: found, at: match.index });
      matches += 1;
      if (matches >= maxMatches) break;
    }
  }
  return signs;
}

const minEncoded = 24;
const maxDecodedCharacters = 4_000;
const maxPieces = 20;

function decoded(code: string): string | undefined {
  const isHex = /^(?:[0-9a-f]{2})+$/i.test(code);
  const bytes = Buffer.from(code, isHex ? 'hex' : 'base64');
  const text = bytes.toString('utf8');
  // Instructions are words; other data is mostly not.
  const letters = text.match(/[\p{L} ]/gu)?.length ?? 0;
  return text.length >= minEncoded / 2 && letters >= text.length * 0.8 ? text : undefined;
}

/** What the text has in base64 or hexadecimal digits that is text itself. */
export function encodedTexts(
  text: string,
): readonly { readonly text: string; readonly at: number }[] {
  const found: { text: string; at: number }[] = [];
  let code = '';
  let at = 0;
  let end = -1;
  const flush = (): void => {
    const plain =
      code.length < minEncoded ? undefined : decoded(code.slice(0, maxDecodedCharacters));
    if (plain !== undefined) found.push({ text: plain, at });
    code = '';
  };
  for (const match of text.matchAll(/[A-Za-z0-9+/_-]{16,}={0,2}/g)) {
    // Lines of one code.
    const continues =
      code !== '' && match.index - end <= 2 && /^\r?\n$/.test(text.slice(end, match.index));
    if (!continues) {
      flush();
      at = match.index;
    }
    if (found.length >= maxPieces) return found;
    if (code.length < maxDecodedCharacters) code += match[0];
    end = match.index + match[0].length;
  }
  flush();
  return found;
}

import { type Detector, type Found, follows, matches } from './detector.ts';

/** The shapes of keys and tokens, each with the prefix that its issuer gives it. */
const shapes = [
  // OpenAI, Anthropic, OpenRouter, DeepSeek and others
  'sk-[A-Za-z0-9_-]{20,256}',
  '(?:gsk|xai|pplx|fw|csk|tgp_v1|r8|hf|sbp|dop_v1|doo_v1|dor_v1|ntn|lin_api|figd|rnd|re|phc|phx)[_-][A-Za-z0-9_-]{24,256}',
  // AWS
  '(?:AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z2-7]{16}(?![A-Za-z0-9])',
  'ABSK[A-Za-z0-9+/]{40,300}={0,2}',
  // GitHub, GitLab
  'gh[pousr]_[A-Za-z0-9_]{36,255}',
  'github_pat_[A-Za-z0-9_]{22,255}',
  'gl(?:pat|dt|rt|ptt|cbt|soat|sa|c)[-_][A-Za-z0-9_.=-]{20,300}',
  // Slack, Discord, Telegram
  'xox[abeoprs]-[A-Za-z0-9-]{10,256}',
  String.raw`xapp-\d-[A-Za-z0-9-]{10,256}`,
  String.raw`\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])`,
  // Stripe, Square, Shopify
  '(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,256}',
  'whsec_[A-Za-z0-9+/]{24,100}={0,2}',
  'sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,60}',
  'shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}',
  // Google
  'AIza[A-Za-z0-9_-]{35}',
  String.raw`AQ\.[A-Za-z0-9_-]{40,256}`,
  String.raw`ya29\.[A-Za-z0-9_-]{20,400}`,
  'GOCSPX-[A-Za-z0-9_-]{28}',
  // SendGrid, Mailgun, Twilio
  String.raw`SG\.[A-Za-z0-9_-]{16,40}\.[A-Za-z0-9_-]{32,64}`,
  'key-[a-f0-9]{32}',
  '(?:SK|AC)[a-f0-9]{32}(?![A-Za-z0-9])',
  // Registries and others
  'npm_[A-Za-z0-9]{36}',
  'pypi-[A-Za-z0-9_-]{50,300}',
  'dapi[a-f0-9]{32}',
  String.raw`hv[sbr]\.[A-Za-z0-9_-]{24,300}`,
  String.raw`dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9]{40,60}`,
  'sntry[su]_[A-Za-z0-9+/=_-]{40,400}',
  'NRAK-[A-Z0-9]{27}',
  'PMAK-[a-f0-9]{24}-[a-f0-9]{34}',
  'ATATT3[A-Za-z0-9_=-]{60,300}',
  'AGE-SECRET-KEY-1[A-Z0-9]{58}',
  'sig=[A-Za-z0-9%+/]{43,90}(?:%3D|=)',
  // JSON Web Tokens
  String.raw`(?<![_-])eyJ[A-Za-z0-9_-]{8,4000}\.eyJ[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{10,2000}`,
];
const tokens = new RegExp(`(?<![A-Za-z0-9])(?:${shapes.join('|')})`, 'g');
/** Long words that are read as a token need a digit: `sk-learn-some-long-name` has none. */
const hasDigit = /\d/;

const begin = /-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----/g;
const keyCharacters = /[A-Za-z0-9+/=\s\\:,.()-]{0,12000}/y;

/** Private keys from the first line to the last, or as far as they go where the last line is missing. */
function findPrivateKeys(text: string): readonly Found[] {
  const found: Found[] = [];
  begin.lastIndex = 0;
  for (let head = begin.exec(text); head !== null; head = begin.exec(text)) {
    keyCharacters.lastIndex = begin.lastIndex;
    const body = keyCharacters.exec(text)?.[0] ?? '';
    const tail = /-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----/.exec(body);
    const length = tail === null ? body.trimEnd().length : tail.index + tail[0].length;
    const end = begin.lastIndex + length;
    found.push({ start: head.index, end });
    begin.lastIndex = end;
  }
  return found;
}

/** Secrets without a shape of their own are found next to the name that their issuer gives them. */
const named = /(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40}(?:[A-Za-z0-9+/]{46}==)?(?![A-Za-z0-9+/=])/g;
const names = /(?:aws.{0,20}secret.{0,20}|accountkey|azure.{0,20}key)["'\s:=]{1,6}$/i;

/** API keys, tokens and private keys of known shapes. */
export const findSecrets: Detector = (text) => [
  ...findPrivateKeys(text),
  ...matches(text, tokens, (token) => hasDigit.test(token)),
  ...matches(text, named, (_, start) => follows(text, start, names)),
];

const authorities = /(?<=[a-z0-9]:\/\/)[^\s/?#"'<>`\\]{1,256}/gi;
const userInfo = /^[^\s/?#"'<>`\\]{1,256}@/;

/** User and password, or a token, in a URL. */
export const findCredentials: Detector = (text) =>
  matches(text, authorities).flatMap(({ start, end }) => {
    const authority = text.slice(start, end);
    if (!userInfo.test(authority)) return [];
    const at = authority.lastIndexOf('@');
    const credentials = authority.slice(0, at);
    // The place for a password in a template, such as ${PASSWORD}, holds none.
    if (/\$\{|\{\{|\$[A-Z_]+$|\*\*\*/.test(credentials)) return [];
    const isSecret = /^[^:]{0,128}:./.test(credentials) || credentials.length >= 16;
    return isSecret ? [{ start, end: start + at }] : [];
  });

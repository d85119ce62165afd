import type * as Yaml from 'yaml';
import { SignalboxError } from '../../errors.ts';
import { DocumentBuilder, type ParsedDocument } from './document-builder.ts';

/** More than a configuration of 1 MB has, and parsed in about a second. */
const maxTokens = 100_000;

/** Brackets inside brackets. The parser is recursive. */
const maxBrackets = 100;

/** @throws SignalboxError `config` when it is not installed */
async function loadYaml(): Promise<typeof Yaml> {
  try {
    return await import('yaml');
  } catch (cause) {
    const message = 'YAML needs the package yaml; install it: npm i yaml';
    throw new SignalboxError('config', message, { cause });
  }
}

/** Bounds the time of the parser: it takes seconds for some documents of 1 MB. */
function checkSize(yaml: typeof Yaml, text: string, builder: DocumentBuilder): void {
  let tokens = 0;
  let brackets = 0;
  let offset = 0;
  for (const token of new yaml.Lexer().lex(text)) {
    tokens += 1;
    if (token === '[' || token === '{') brackets += 1;
    else if (token === ']' || token === '}') brackets -= 1;
    if (tokens > maxTokens) builder.stop(offset, `has more than ${maxTokens} tokens`);
    if (brackets > maxBrackets) {
      builder.stop(offset, `is nested more than ${maxBrackets} levels deep`);
    }
    if (text.startsWith(token, offset)) offset += token.length;
  }
}

/** The reason of a syntax error, without the text that the parser quotes. */
function reasonOf({ code, message }: Yaml.YAMLError): string {
  if (code === 'RESOURCE_EXHAUSTION') return 'is nested too deeply';
  if (code === 'MULTIPLE_DOCS') return 'must be one document; remove the others';
  return `is not valid YAML: ${message.split(/[:\n]/)[0] ?? code}`;
}

class YamlReader {
  readonly #yaml: typeof Yaml;
  readonly #text: string;
  readonly #builder: DocumentBuilder;
  /** By name: the value, and how many values are in it. Only of nodes that have ended. */
  readonly #anchors = new Map<string, { readonly value: unknown; readonly count: number }>();

  constructor(yaml: typeof Yaml, text: string, document: string | undefined) {
    this.#yaml = yaml;
    this.#text = text;
    this.#builder = new DocumentBuilder(text, document);
  }

  read(): ParsedDocument {
    return this.#builder.build(0, () => {
      checkSize(this.#yaml, this.#text, this.#builder);
      const document = this.#parse();
      for (const error of document.errors) this.#builder.report(error.pos[0], reasonOf(error));
      if (document.errors.length > 0) return undefined;
      const { explicit, version } = document.directives?.yaml ?? {};
      if (explicit === true && version !== '1.2') this.#builder.report(0, 'must be YAML 1.2');
      return this.#node(document.contents, 0);
    });
  }

  #parse() {
    // Duplicate keys are found here: the parser compares each key with all others.
    const options = {
      schema: 'core',
      uniqueKeys: false,
      merge: false,
      prettyErrors: false,
    } as const;
    try {
      return this.#yaml.parseDocument(this.#text, options);
    } catch {
      // The parser is recursive, and overflows the stack in some places.
      return this.#builder.stop(0, 'is nested too deeply');
    }
  }

  #node(node: unknown, parentOffset: number): unknown {
    const { isAlias, isNode } = this.#yaml;
    if (!isNode(node)) return null;
    const offset = node.range?.[0] ?? parentOffset;
    if (isAlias(node)) return this.#alias(node.source, offset);
    const before = this.#builder.counted;
    this.#builder.count(1, offset);
    if (node.tag !== undefined) this.#builder.report(offset, 'must not have a tag; remove it');
    const value = this.#content(node, offset);
    if (node.anchor !== undefined) {
      this.#anchors.set(node.anchor, { value, count: this.#builder.counted - before });
    }
    return value;
  }

  #content(node: Yaml.Node, offset: number): unknown {
    const { isMap, isSeq, isScalar } = this.#yaml;
    if (isScalar(node)) return node.value;
    if (isSeq(node)) return this.#list(node, offset);
    return isMap(node) ? this.#object(node, offset) : null;
  }

  #list(node: Yaml.YAMLSeq, offset: number): unknown[] {
    const list: unknown[] = [];
    for (const [index, item] of node.items.entries()) {
      const at = (this.#yaml.isNode(item) ? item.range?.[0] : undefined) ?? offset;
      this.#builder.set(list, index, at, () => this.#node(item, at));
    }
    return list;
  }

  #object(node: Yaml.YAMLMap, offset: number): object {
    const object = {};
    for (const { key, value } of node.items) {
      const isNode = this.#yaml.isNode(key);
      const at = (isNode ? key.range?.[0] : undefined) ?? offset;
      const name = this.#yaml.isScalar(key) && key.tag === undefined ? key.value : undefined;
      if (typeof name !== 'string') {
        this.#builder.report(at, 'a key must be a string; put it in quotes');
      } else if (name === '<<') {
        this.#builder.report(at, 'merge keys are not supported; repeat the fields');
      } else {
        this.#builder.set(object, name, at, () => this.#node(value, at));
      }
    }
    return object;
  }

  #alias(name: string, offset: number): unknown {
    const anchor = this.#anchors.get(name);
    if (anchor === undefined) {
      this.#builder.report(offset, 'the alias has no anchor that ends before it');
      return null;
    }
    this.#builder.count(anchor.count, offset);
    return anchor.value;
  }
}

/** @throws SignalboxError `config` when the package `yaml` is not installed */
export async function readYaml(
  text: string,
  document: string | undefined,
): Promise<ParsedDocument> {
  return new YamlReader(await loadYaml(), text, document).read();
}

import type { HttpError } from '../../transport/read-reply.ts';
import { isObject, listOf } from './read.ts';

/** An HTTP error response, and the request that it answers. */
export type RejectedRequest = HttpError & { readonly request?: unknown };

/** The part of a vendor's error that explains a 403 or a 404. */
type Refusal = {
  readonly words: readonly string[];
  readonly message: string;
  readonly param?: string | undefined;
};

/**
 * Things that a vendor keeps and that one call names, with a word for our message. Vendors answer 403 or 404 when they
 * have expired, were deleted, or belong to somebody else.
 */
const stored: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/(?<![a-z])cached? ?contents?(?![a-z])/i, 'cached content'],
  [/(?<![a-z0-9])(?:gs|s3):\/\/|storage\.objects|cloud storage|storage object/i, 'a stored object'],
  [/(?<![a-z])(?:s3|blob|bucket)(?![a-z])/i, 'a stored object'],
  [/(?<![a-z])(?:files?|documents?|attachments?|uploads?)(?![a-z])/i, 'a file'],
  [/previous[_ ]response|(?<![a-z])response with id|(?<![a-z])resp_\w/i, 'an earlier answer'],
  [
    /(?<![a-z])(?:item|message) (?:with )?(?:id|['"`]?[a-z]{1,4}_)/i,
    'an item of an earlier answer',
  ],
  [/(?<![a-z])(?:rs|msg|fc|ws|ig|ci)_[a-z0-9]/i, 'an item of an earlier answer'],
  [/(?<![a-z])(?:conversation|thread|interaction)s?(?![a-z])/i, 'a conversation'],
  [
    /(?<![a-z])container (?:with )?id|(?<![a-z])container is |(?<![a-z])(?:container|cntr)_\w/i,
    'a container',
  ],
  [/(?<![a-z])container(?: was)? not found/i, 'a container'],
  [/vector[_ ]?store|data ?store|rag ?corp(?:us|ora)/i, 'a store of documents'],
  [
    /(?<![a-z])prompt (?:with )?id|(?<![a-z])pmpt_\w|(?<![a-z])skill(?![a-z])/i,
    'a stored prompt or skill',
  ],
  [/(?<![a-z])mcp(?![a-z])|connector/i, 'a server of tools'],
];

/** What every call to the target names. */
const ofTarget =
  /(?<![a-z])(?:(?:foundation |publisher )?models?|deployments?|endpoints?|engines?)(?![a-z])/i;

/** What the key or its account lacks. */
const ofAccount =
  /(?<![a-z])(?:api[ _]?key|account|organi[sz]ation|workspace|project|team|billing|subscription|plan|credits?|scopes?|regions?|country|territory|location|url|route|path|ip)(?![a-z])/i;

/** The fields in which the wires put such references. */
const referenceFields: ReadonlySet<string> = new Set([
  'cachedContent',
  'container',
  'conversation',
  'fileUri',
  'file_id',
  'file_uri',
  'previous_response_id',
  'vector_store_ids',
]);

/** Deeper and larger than any request that names a file. */
const maxVisited = 10_000;

/** Whether a request names something that its vendor keeps. */
function carriesReference(request: unknown): boolean {
  const open: unknown[] = [request];
  for (let visited = 0; visited < maxVisited; visited++) {
    const value = open.pop();
    if (value === undefined && open.length === 0) return false;
    if (isObject(value)) {
      for (const [key, each] of Object.entries(value)) {
        if (referenceFields.has(key) && each !== null && each !== undefined) return true;
        if (key === 'type' && each === 'item_reference') return true;
        if (typeof each === 'object' && each !== null) open.push(each);
      }
    } else open.push(...listOf(value).filter((each) => typeof each === 'object'));
  }
  return false;
}

/**
 * What the vendor cannot find or may not read, if that is something this call names instead of the model: other calls do
 * not fail because of it. The first thing that the message names decides ("the model `file-reader` does not exist"). If
 * it names nothing ("Requested entity was not found"), the request decides: the same error without a reference in the
 * request is about the model.
 */
export function staleReference(
  { message, param = '', words }: Refusal,
  request: unknown,
): string | undefined {
  const text = [message, param, ...words].join(' ');
  const positionOf = (pattern: RegExp): number => pattern.exec(text)?.index ?? text.length;
  const [first] = stored
    .map(([pattern, what]) => ({ at: positionOf(pattern), what }))
    .toSorted((a, b) => a.at - b.at);
  const targetAt = positionOf(ofTarget);
  if (first !== undefined && first.at < text.length) {
    return first.at < targetAt ? first.what : undefined;
  }
  const isExplained = targetAt < text.length || ofAccount.test(text);
  return !isExplained && carriesReference(request) ? 'something' : undefined;
}

import { readFile, stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { SignalboxError } from '../../errors.ts';
import {
  type ConfigFormat,
  documentError,
  maxDocumentBytes,
  type SourceText,
} from './parse-document.ts';

const formats: Readonly<Record<string, ConfigFormat>> = {
  '.json': 'json',
  '.yaml': 'yaml',
  '.yml': 'yaml',
};

/** The format by the end of a file's name or of an address; `undefined` for others. */
export function formatOf(path: string): ConfigFormat | undefined {
  return formats[extname(path).toLowerCase()];
}

/** @throws SignalboxError `config` when the file cannot be read or is too large */
async function readText(path: string): Promise<string> {
  try {
    const stats = await stat(path);
    if (!stats.isFile()) throw documentError(`${path} is not a file`);
    if (stats.size > maxDocumentBytes) {
      throw documentError(`${path} has more than ${maxDocumentBytes} bytes`);
    }
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof SignalboxError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'see cause';
    throw documentError(`${path} cannot be read (${code})`).with({ cause: error });
  }
}

/** Reads a local file, which may use the environment. @throws SignalboxError `config` */
export async function readSourceText(path: string): Promise<SourceText> {
  const format = formatOf(path);
  if (format === undefined) {
    throw documentError(`${path} must end with .yaml, .yml or .json; or pass { text, format }`);
  }
  const text = await readText(path);
  return { text, format, name: basename(path), variables: process.env };
}

import { countOf, listOf, objectOf, textOf } from '../common/read.ts';
import { noRequestedOutput, type WireWriter } from '../common/write.ts';
import { simulatedVector } from '../common/write-samples.ts';
import { geminiWire } from './write.ts';

const embedPath = /\/models\/([^/:]+):batchEmbedContents$/;

/** Gemini's `batchEmbedContents`. */
export const geminiEmbeddingsWire: WireWriter = {
  ...geminiWire,
  name: 'gemini-embeddings',
  accepts: (path) => embedPath.test(path),
  read: (path) => ({
    model: decodeURIComponent(embedPath.exec(path)?.[1] ?? ''),
    stream: false,
  }),
  requestedOutput: () => noRequestedOutput,
  complaint: ({ body }) =>
    listOf(body.requests).length === 0 ? '* requests: must not be empty' : undefined,
  frames: () => [],
  unary: ({ request: { body } }) => ({
    embeddings: listOf(body.requests)
      .map(objectOf)
      .map((request) => {
        const [part] = listOf(objectOf(request.content).parts);
        const dimensions = countOf(request.outputDimensionality);
        return { values: simulatedVector(textOf(objectOf(part).text) ?? '', dimensions) };
      }),
  }),
};

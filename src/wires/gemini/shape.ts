import { shape } from '../common/read.ts';

/** A part has no type: its fields say what it is. */
const part = shape(
  `text thought thoughtSignature inlineData fileData functionResponse executableCode codeExecutionResult toolCall
  toolResponse videoMetadata mediaResolution mediaProcessing audioTranscription speechMetadata partMetadata`,
  { functionCall: shape('id name args partialArgs willContinue') },
);

export const geminiUsage = shape(
  `promptTokenCount candidatesTokenCount totalTokenCount cachedContentTokenCount thoughtsTokenCount
  toolUsePromptTokenCount promptTokensDetails candidatesTokensDetails cacheTokensDetails toolUsePromptTokensDetails
  trafficType serviceTier initialPromptTokenCount promptTokens responseTokenCount responseTokensDetails`,
);

const candidate = shape(
  `index finishReason finishMessage tokenCount safetyRatings citationMetadata groundingMetadata urlContextMetadata
  groundingAttributions avgLogprobs logprobsResult continuationToken urlRetrievalMetadata score`,
  { content: shape('role', { parts: part }) },
);

/** A chunk, and a whole answer, of `generateContent`. */
export const geminiShape = shape(
  `modelVersion responseId createTime modelStatus sdkHttpResponse error remainingTokens traceId`,
  {
    candidates: candidate,
    usageMetadata: geminiUsage,
    promptFeedback: shape('blockReason blockReasonMessage safetyRatings'),
  },
);

import { preset } from './index.ts';

/** Mistral. The key is `MISTRAL_API_KEY`. */
export const mistral = preset('mistral');
/** xAI. The key is `XAI_API_KEY`. */
export const xai = preset('xai');
/** DeepSeek. The key is `DEEPSEEK_API_KEY`. */
export const deepseek = preset('deepseek');
/** Groq. The key is `GROQ_API_KEY`. */
export const groq = preset('groq');
/** Together. The key is `TOGETHER_API_KEY`. */
export const together = preset('together');
/** Fireworks. The key is `FIREWORKS_API_KEY`. */
export const fireworks = preset('fireworks');
/** Cohere, through its Compatibility API. The key is `CO_API_KEY`, else `COHERE_API_KEY`. */
export const cohere = preset('cohere');
/** AI21. The key is `AI21_API_KEY`. */
export const ai21 = preset('ai21');
/** Meta. The key is `META_API_KEY`, else `LLAMA_API_KEY`. */
export const meta = preset('meta');
/** OpenRouter. The key is `OPENROUTER_API_KEY`. */
export const openrouter = preset('openrouter');
/** Perplexity, which does not support tools. The key is `PERPLEXITY_API_KEY`. */
export const perplexity = preset('perplexity');
/** Moonshot (Kimi). The key is `MOONSHOT_API_KEY`. */
export const moonshot = preset('moonshot');
/** Qwen, at Alibaba's international endpoint. The key is `DASHSCOPE_API_KEY`. */
export const qwen = preset('qwen');
/** Cerebras. The key is `CEREBRAS_API_KEY`. */
export const cerebras = preset('cerebras');
/** Ollama on this machine; no key. */
export const ollama = preset('ollama');
/** vLLM on this machine; no key. */
export const vllm = preset('vllm');
/** llama.cpp's server on this machine; no key. */
export const llamacpp = preset('llamacpp');
/** LM Studio on this machine; no key. */
export const lmstudio = preset('lmstudio');

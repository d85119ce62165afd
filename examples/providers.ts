import { anthropic } from 'signalbox/anthropic';
import { google } from 'signalbox/google';
import { openai } from 'signalbox/openai';
import { simulateProviders } from 'signalbox/testing';

const { OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY, GOOGLE_API_KEY } = process.env;

/** Simulated vendors on 127.0.0.1, used for each vendor without a key. */
export const simulators = await simulateProviders();

/** The vendors with a key in the environment, which are called for real. */
export const isReal = {
  openai: Boolean(OPENAI_API_KEY),
  anthropic: Boolean(ANTHROPIC_API_KEY),
  google: Boolean(GEMINI_API_KEY || GOOGLE_API_KEY),
} as const;

type Vendor = keyof typeof isReal;

/** The address of the simulator, or no settings for a real vendor. */
export const settingsOf = (vendor: Vendor) =>
  isReal[vendor] ? {} : { apiKey: 'simulated', baseURL: simulators[vendor].baseURL };

export const providers = {
  openai: openai(settingsOf('openai')),
  anthropic: anthropic(settingsOf('anthropic')),
  google: google(settingsOf('google')),
};

export const close = (): Promise<void> => simulators.close();

import { anthropic } from 'signalbox/anthropic';
import { google } from 'signalbox/google';
import { openai } from 'signalbox/openai';
import { simulateProviders } from 'signalbox/testing';

const { OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY, GOOGLE_API_KEY } = process.env;

/** Vendors on 127.0.0.1 that speak the real wires, for those of whom there is no key. */
export const simulators = await simulateProviders();

/** Which vendors are the real ones, because their key is in the environment. */
export const isReal = {
  openai: Boolean(OPENAI_API_KEY),
  anthropic: Boolean(ANTHROPIC_API_KEY),
  google: Boolean(GEMINI_API_KEY || GOOGLE_API_KEY),
} as const;

type Vendor = keyof typeof isReal;

/** Where the simulator is, or nothing at all: then the vendor's own address and key are used. */
const settingsOf = (vendor: Vendor) =>
  isReal[vendor] ? {} : { apiKey: 'simulated', baseURL: simulators[vendor].baseURL };

export const providers = {
  openai: openai(settingsOf('openai')),
  anthropic: anthropic(settingsOf('anthropic')),
  google: google(settingsOf('google')),
};

export const close = (): Promise<void> => simulators.close();

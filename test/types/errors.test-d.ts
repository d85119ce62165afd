import type { attemptErrorCodes } from '../../src/config/schema.ts';
import {
  type AttemptErrorCode,
  type ErrorCode,
  type Fallbacks,
  isSignalboxError,
  type PartialAnswer,
  SignalboxError,
  type TierSettings,
} from '../../src/index.ts';
import { type Equal, expectType } from './expect-type.ts';

declare const thrown: unknown;

// The guard narrows to the class, and to the code if one is given.
if (isSignalboxError(thrown)) {
  expectType<Equal<typeof thrown.code, ErrorCode>>(true);
  expectType<Equal<typeof thrown.partial, PartialAnswer | undefined>>(true);
  expectType<Equal<typeof thrown.errors, readonly SignalboxError[] | undefined>>(true);
  expectType<Equal<typeof thrown.retryAfterMs, number | undefined>>(true);
}
if (isSignalboxError(thrown, 'all_targets_failed')) {
  expectType<Equal<typeof thrown.code, 'all_targets_failed'>>(true);
}
// @ts-expect-error
isSignalboxError(thrown, 'all_failed');

// @ts-expect-error
new SignalboxError('oops', 'no such code');

// The schema and the type of `fallbackOn` accept the same codes.
expectType<Equal<(typeof attemptErrorCodes)[number], AttemptErrorCode>>(true);
const settings: TierSettings = { fallbackOn: ['content_filter', 'refusal'] };
void settings;
// So do those of `fallbacks`: an aborted call tries no other target.
expectType<Equal<keyof Fallbacks, Exclude<AttemptErrorCode, 'aborted'>>>(true);
// @ts-expect-error
const unknownCode: TierSettings = { fallbackOn: ['all_targets_failed'] };
void unknownCode;

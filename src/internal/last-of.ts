/** What comes and goes with calls. */
type Kind =
  | 'answerHeaders'
  | 'answerParts'
  | 'attempt'
  | 'attemptClock'
  | 'bill'
  | 'callParts'
  | 'callScope'
  | 'chain'
  | 'chatDeltas'
  | 'chatReader'
  | 'collected'
  | 'completionStream'
  | 'deadline'
  | 'eventDecoder'
  | 'events'
  | 'geminiReader'
  | 'messageReader'
  | 'partAssembler'
  | 'pieces'
  | 'place'
  | 'places'
  | 'receiver'
  | 'repeatedEvent'
  | 'responseItems'
  | 'responseReader'
  | 'sent'
  | 'session'
  | 'tagReader'
  | 'tap'
  | 'tokenCounts'
  | 'trail';

/**
 * The last object of each kind, for no other reason than that there is one. V8 forgets what objects look like of which
 * there are none when it collects garbage, and with that throws away all code that it has compiled for them. (Code
 * holds on to hidden classes weakly: "embedded weak objects cleared" in `node --trace-deopt`.) After some quiet minutes
 * the next thousand calls would take twice as long, until all is compiled again.
 *
 * So the messages and the answer of the last call stay in memory until the next one.
 */
export const lastOf: { [Name in Kind]?: object } = {};

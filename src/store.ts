export { memoryStore } from './internal/memory-store.ts';
export type {
  Claim,
  Counter,
  CounterState,
  Eventually,
  Reservation,
  Store,
  StoredDocument,
} from './protocol/store.ts';
export { fileStore } from './stores/file-store.ts';

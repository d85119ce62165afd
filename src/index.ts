export { isSignalboxError, SignalboxError, type SignalboxErrorOptions } from './errors.ts';
export type { Attempt, ErrorSummary, Verdict } from './protocol/attempt.ts';
export type { BudgetPeriod, BudgetSettings, BudgetState, BudgetUnit } from './protocol/budget.ts';
export type {
  CacheResponse,
  CallDefaults,
  CallOptions,
  Priority,
  RetrySettings,
  Route,
  TargetId,
  Timeouts,
  Validation,
} from './protocol/call-options.ts';
export type {
  Completion,
  FinishReason,
  ObjectOf,
  PartialAnswer,
  TagOptions,
  Tags,
  ToolCallOf,
  Warning,
} from './protocol/completion.ts';
export type {
  BuiltInStrategy,
  CircuitSettings,
  Fallbacks,
  Hedge,
  Limits,
  MidStream,
  ModelCapability,
  RouterConfig,
  RoutingConfig,
  Rule,
  StrategyObject,
  TargetObject,
  Tier,
  TierObject,
  TierSettings,
  Validators,
  Vectors,
  WhenAllOpen,
} from './protocol/config.ts';
export type {
  ConfigChange,
  ConfigProblem,
  ConfigSource,
  ConfigSourceContext,
  Following,
  FollowOptions,
} from './protocol/config-source.ts';
export type {
  CandidateFigures,
  PlannedFallback,
  PlannedFallbacks,
  PlannedTarget,
  TierOrder,
} from './protocol/decision.ts';
export type {
  Description,
  ModelFacts,
  PriceList,
  RuleDescription,
  TargetDescription,
  TierDescription,
} from './protocol/description.ts';
export type { Drill, DrillFault, DrillOptions, DrillReport, LostCall } from './protocol/drill.ts';
export type { AttemptErrorCode, ErrorCode, TimeoutPhase } from './protocol/error-code.ts';
export type { EventName, EventOf, Modality, RouterEvent, RouterEvents } from './protocol/events.ts';
export type { Json, JsonObject, JsonSchema } from './protocol/json.ts';
export type {
  AudioPart,
  CacheHint,
  Citation,
  FilePart,
  ImagePart,
  Media,
  Message,
  NormalMessage,
  Opaque,
  Part,
  ReasoningPart,
  RefusalPart,
  TextPart,
  ToolCallPart,
  ToolResultPart,
  Wire,
} from './protocol/message.ts';
export type {
  EmbeddingRequest,
  Embeddings,
  EmbedOptions,
  ImageOptions,
  ImageRequest,
  Images,
} from './protocol/other-tasks.ts';
export type {
  NextOptions,
  PartsHook,
  Plugin,
  PluginAnswer,
  PluginAttempt,
  PluginAttemptResult,
  PluginCall,
  PluginCallEnd,
  PluginListeners,
  PluginParts,
  PluginRequest,
  PluginRouter,
  ToolCallDecision,
} from './protocol/plugin.ts';
export type {
  AttemptContext,
  Capability,
  OutgoingRequest,
  PreparedCall,
  Provider,
  RateLimit,
  Watch,
} from './protocol/provider.ts';
export type {
  Effort,
  NormalTool,
  OnUnsupported,
  ProviderRequest,
  Reasoning,
  Sampling,
  Tool,
  ToolChoice,
  Transfer,
} from './protocol/request.ts';
export type { Compliance, Requires } from './protocol/requires.ts';
export type {
  CompletionOf,
  Demotion,
  Explanation,
  Feedback,
  Isolation,
  LimitsSnapshot,
  Router,
  Snapshot,
  TargetSnapshot,
} from './protocol/router.ts';
export type { RuleConditions, Weekday } from './protocol/rule-conditions.ts';
export type { Runtime } from './protocol/runtime.ts';
export type {
  InferOutput,
  StandardIssue,
  StandardResult,
  StandardSchema,
} from './protocol/standard-schema.ts';
export type {
  Claim,
  Counter,
  CounterState,
  Eventually,
  Reservation,
  Store,
  StoredDocument,
} from './protocol/store.ts';
export type {
  Strategy,
  StrategyCandidate,
  StrategyContext,
  TargetKnowledge,
} from './protocol/strategy.ts';
export type {
  ByteStream,
  CompletionStream,
  Included,
  ProviderPart,
  ReadableFormat,
  ReadableOptions,
  StreamPart,
} from './protocol/stream-part.ts';
export type { Cost, Price, Usage } from './protocol/usage.ts';
export type { AuditHead, PolicyVerdict } from './protocol/verdict.ts';
export { createRouter, defineConfig } from './router.ts';
export {
  type ErrorResponse,
  errorResponse,
  type PublicError,
} from './telemetry/error-response.ts';
export {
  errorSerializer,
  type SerializedAttempt,
  type SerializedError,
} from './telemetry/error-serializer.ts';
export { type LogEntry, type LogLevel, toLogEntry } from './telemetry/log-entry.ts';

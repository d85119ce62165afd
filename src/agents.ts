export type { NextStep } from './apps/agents/run.ts';
export type {
  RunPart,
  RunResult,
  RunState,
  RunStep,
  ToolRecord,
  ToolStatus,
} from './apps/agents/run-result.ts';
export {
  type Approval,
  type ResumeOptions,
  type RunOptions,
  resumeTools,
  runTools,
} from './apps/agents/run-tools.ts';
export {
  defineTool,
  type RunnableTool,
  type ToolContext,
  type ToolOutput,
} from './apps/agents/tool.ts';
export { ToolError } from './apps/agents/tool-error.ts';
export type { ToolRun } from './apps/agents/tool-run.ts';

import { Link } from "@tanstack/react-router";
import { useQuery } from "urql";
import { WorkflowName } from "./documents";

/** What an evaluation tries: one of a model, a workflow and an agent, in a version. */
export interface Subject {
  modelName?: string | null;
  workflowId?: string | null;
  agentName?: string | null;
  version?: number | null;
}

/** Name and version of what is tried; of a workflow that is gone, or not to be seen, the end of its id. */
export function useTried({ modelName, workflowId, agentName, version }: Subject): string {
  const name = useWorkflowName(modelName == null && agentName == null ? workflowId : undefined);
  const shown = modelName ?? agentName ?? name ?? `workflow …${workflowId?.slice(-8) ?? ""}`;
  return version == null ? shown : `${shown}@${version}`;
}

/** A workflow's name; absent where there is no id, or nothing of that to be seen. */
export function useWorkflowName(id: string | null | undefined): string | undefined {
  const [{ data }] = useQuery({
    query: WorkflowName,
    variables: { id: id ?? "" },
    pause: id == null,
    requestPolicy: "cache-first",
  });
  return data?.workflow?.name;
}

export function TriedName({ subject }: { subject: Subject }) {
  return <>{useTried(subject)}</>;
}

/** Leads to what is tried. */
export function TriedLink({ subject }: { subject: Subject }) {
  const name = useTried(subject);
  const { modelName, workflowId, agentName } = subject;
  const className = "text-accent hover:underline";
  if (modelName != null)
    return (
      <Link to="/models/$modelName" params={{ modelName }} className={className}>
        {name}
      </Link>
    );
  if (agentName != null)
    return (
      <Link to="/agents/$agentName" params={{ agentName }} search={{ tab: "versions" }} className={className}>
        {name}
      </Link>
    );
  if (workflowId != null)
    return (
      <Link to="/workflows/$workflowId/versions" params={{ workflowId }} className={className}>
        {name}
      </Link>
    );
  return <>{name}</>;
}

/** Leads to what was run for a case; nothing for a model, which is computed without a record. */
export function RunLink({ run, label }: { run: { executionId?: string; agentRunId?: string }; label: string }) {
  const className = "text-accent hover:underline";
  if (run.executionId !== undefined)
    return (
      <Link to="/executions/$executionId" params={{ executionId: run.executionId }} className={className}>
        {label}
      </Link>
    );
  if (run.agentRunId !== undefined)
    return (
      <Link to="/agent-runs/$runId" params={{ runId: run.agentRunId }} className={className}>
        {label}
      </Link>
    );
  return <span className="text-muted">–</span>;
}

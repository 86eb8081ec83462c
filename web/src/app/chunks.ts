/** Where the code of each page is, by the path of its route: a chunk of its own, which is loaded when it is first needed. */
export const CHUNKS = {
  "/": () => import("../pages/home"),
  "/workflows": () => import("../pages/workflows"),
  "/workflows/$workflowId": () => import("../pages/editor"),
  "/workflows/$workflowId/versions": () => import("../pages/versions"),
  "/executions": () => import("../pages/executions"),
  "/executions/$executionId": () => import("../pages/execution"),
  "/capsule": () => import("../pages/execution/capsule"),
  "/compare": () => import("../pages/compare"),
  "/data-tables": () => import("../pages/data-tables"),
  "/data-tables/$tableId": () => import("../pages/data-tables"),
  "/agents": () => import("../pages/agents"),
  "/agents/$agentName": () => import("../pages/agents"),
  "/agent-runs/$runId": () => import("../pages/agents"),
  "/models": () => import("../pages/models"),
  "/models/$modelName": () => import("../pages/models"),
  "/inferences/$inferenceId": () => import("../pages/models"),
  "/evaluation-sets": () => import("../pages/evaluations"),
  "/evaluation-sets/$setName": () => import("../pages/evaluations"),
  "/evaluations/compare": () => import("../pages/evaluations"),
  "/evaluations/$evaluationId": () => import("../pages/evaluations"),
  "/gateway": () => import("../pages/gateway"),
  "/gateway/calls/$callId": () => import("../pages/gateway"),
  "/events": () => import("../pages/events"),
  "/audit": () => import("../pages/audit"),
  "/admin/$section": () => import("../pages/admin"),
  "/api": () => import("../pages/api-explorer"),
} as const;

/** The path of the route to which an address leads; `undefined` where none does. */
export function pathAt(address: string): keyof typeof CHUNKS | undefined {
  const parts = address.replace(/\/$/, "").split("/");
  const leads = (path: string) => {
    const names = path.replace(/\/$/, "").split("/");
    return names.length === parts.length && names.every((name, place) => name.startsWith("$") || name === parts[place]);
  };
  return (Object.keys(CHUNKS) as (keyof typeof CHUNKS)[]).find(leads);
}

/** Begins to load the page at an address. What fails is tried again, and told, when the page is shown. */
export function loadPageAt(address: string): void {
  const path = pathAt(address);
  if (path !== undefined) void CHUNKS[path]().catch(() => undefined);
}

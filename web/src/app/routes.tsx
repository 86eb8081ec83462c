import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from "@tanstack/react-router";
import * as home from "../pages/home/search";
import * as workflows from "../pages/workflows/search";
import * as editor from "../pages/editor/search";
import * as versions from "../pages/versions/search";
import * as executions from "../pages/executions/search";
import * as execution from "../pages/execution/search";
import * as compare from "../pages/compare/search";
import * as dataTables from "../pages/data-tables/search";
import * as agents from "../pages/agents/search";
import * as models from "../pages/models/search";
import * as evaluations from "../pages/evaluations/search";
import * as gateway from "../pages/gateway/search";
import * as events from "../pages/events/search";
import * as audit from "../pages/audit/search";
import * as admin from "../pages/admin/search";
import * as apiExplorer from "../pages/api-explorer/search";
import { CHUNKS } from "./chunks";
import { PageFault } from "./PageFault";
import { NotFound } from "./NotFound";
import { Shell } from "./Shell";
import { parseSearch, stringifySearch } from "./search";

const shell = createRootRoute({ component: Shell, notFoundComponent: NotFound, errorComponent: PageFault });

// Each page is a chunk of its own. What its address may say is in the page's folder, in search.ts.
const routes = [
  createRoute({
    getParentRoute: () => shell,
    path: "/",
    validateSearch: home.search,
    component: lazyRouteComponent(CHUNKS["/"], "HomePage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/workflows",
    validateSearch: workflows.search,
    component: lazyRouteComponent(CHUNKS["/workflows"], "WorkflowsPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/workflows/$workflowId",
    validateSearch: editor.search,
    component: lazyRouteComponent(CHUNKS["/workflows/$workflowId"], "EditorPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/workflows/$workflowId/versions",
    validateSearch: versions.search,
    component: lazyRouteComponent(CHUNKS["/workflows/$workflowId/versions"], "VersionsPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/executions",
    validateSearch: executions.search,
    component: lazyRouteComponent(CHUNKS["/executions"], "ExecutionsPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/executions/$executionId",
    validateSearch: execution.search,
    component: lazyRouteComponent(CHUNKS["/executions/$executionId"], "ExecutionPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/capsule",
    component: lazyRouteComponent(CHUNKS["/capsule"], "CapsulePage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/compare",
    validateSearch: compare.search,
    component: lazyRouteComponent(CHUNKS["/compare"], "ComparePage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/data-tables",
    validateSearch: dataTables.search,
    component: lazyRouteComponent(CHUNKS["/data-tables"], "DataTablesPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/data-tables/$tableId",
    validateSearch: dataTables.tableSearch,
    component: lazyRouteComponent(CHUNKS["/data-tables/$tableId"], "DataTablePage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/agents",
    validateSearch: agents.search,
    component: lazyRouteComponent(CHUNKS["/agents"], "AgentsPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/agents/$agentName",
    validateSearch: agents.agentSearch,
    component: lazyRouteComponent(CHUNKS["/agents/$agentName"], "AgentPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/agent-runs/$runId",
    validateSearch: agents.runSearch,
    component: lazyRouteComponent(CHUNKS["/agent-runs/$runId"], "AgentRunPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/models",
    validateSearch: models.search,
    component: lazyRouteComponent(CHUNKS["/models"], "ModelsPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/models/$modelName",
    params: { parse: models.nameInAddress, stringify: models.addressOfName },
    validateSearch: models.modelSearch,
    component: lazyRouteComponent(CHUNKS["/models/$modelName"], "ModelPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/inferences/$inferenceId",
    validateSearch: models.inferenceSearch,
    component: lazyRouteComponent(CHUNKS["/inferences/$inferenceId"], "InferencePage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/evaluation-sets",
    validateSearch: evaluations.search,
    component: lazyRouteComponent(CHUNKS["/evaluation-sets"], "EvaluationSetsPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/evaluation-sets/$setName",
    params: { parse: evaluations.nameInAddress, stringify: evaluations.addressOfName },
    validateSearch: evaluations.setSearch,
    component: lazyRouteComponent(CHUNKS["/evaluation-sets/$setName"], "EvaluationSetPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/evaluations/compare",
    validateSearch: evaluations.comparisonSearch,
    component: lazyRouteComponent(CHUNKS["/evaluations/compare"], "ComparisonPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/evaluations/$evaluationId",
    validateSearch: evaluations.evaluationSearch,
    component: lazyRouteComponent(CHUNKS["/evaluations/$evaluationId"], "EvaluationPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/gateway",
    validateSearch: gateway.search,
    component: lazyRouteComponent(CHUNKS["/gateway"], "GatewayPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/gateway/calls/$callId",
    validateSearch: gateway.callSearch,
    component: lazyRouteComponent(CHUNKS["/gateway/calls/$callId"], "ModelCallPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/events",
    validateSearch: events.search,
    component: lazyRouteComponent(CHUNKS["/events"], "EventsPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/audit",
    validateSearch: audit.search,
    component: lazyRouteComponent(CHUNKS["/audit"], "AuditPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/admin/$section",
    validateSearch: admin.search,
    component: lazyRouteComponent(CHUNKS["/admin/$section"], "AdminPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/api",
    validateSearch: apiExplorer.search,
    component: lazyRouteComponent(CHUNKS["/api"], "ApiExplorerPage"),
  }),
  createRoute({
    getParentRoute: () => shell,
    path: "/admin",
    beforeLoad: () => {
      throw redirect({ to: "/admin/$section", params: { section: "accounts" } });
    },
  }),
] as const;

export const router = createRouter({
  routeTree: shell.addChildren(routes),
  parseSearch,
  stringifySearch,
  defaultPreload: "intent",
  defaultErrorComponent: PageFault,
  scrollRestoration: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

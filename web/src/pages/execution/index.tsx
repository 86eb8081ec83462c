import { getRouteApi } from "@tanstack/react-router";
import { usePageTitle } from "@/app/title";
import { PageHeader } from "@/ui";

const route = getRouteApi("/executions/$executionId");

export function ExecutionPage() {
  const { executionId } = route.useParams();
  usePageTitle("Execution");
  return <PageHeader title={executionId} above="Execution" />;
}

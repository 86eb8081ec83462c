import { getRouteApi } from "@tanstack/react-router";
import { usePageTitle } from "@/app/title";
import { PageHeader } from "@/ui";

const route = getRouteApi("/workflows/$workflowId");

export function EditorPage() {
  const { workflowId } = route.useParams();
  usePageTitle("Workflow");
  return <PageHeader title={workflowId} above="Workflow" />;
}

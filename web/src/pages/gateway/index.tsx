import { getRouteApi } from "@tanstack/react-router";
import { usePageTitle } from "@/app/title";
import { PageHeader } from "@/ui";

export function GatewayPage() {
  usePageTitle("Gateway");
  return <PageHeader title="Gateway" />;
}

const call = getRouteApi("/gateway/calls/$callId");

export function ModelCallPage() {
  const { callId } = call.useParams();
  usePageTitle("Model call");
  return <PageHeader title={callId} above="Model call" />;
}

import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { useQuery } from "urql";
import { faultOf, graphql, useLastWrite, useLive, useViewer } from "@/api";
import { useKeys } from "@/app/keys";
import { usePageTitle } from "@/app/title";
import type { GatewaySetupQuery } from "@/gql/graphql";
import { Button, ErrorState, Icon, PageHeader, Skeleton, Tabs } from "@/ui";
import { Calls } from "./Calls";
import { Connect } from "./Connect";
import { Setup } from "./documents";
import { Limits } from "./Limits";
import { Prices } from "./Prices";
import { Providers } from "./Providers";
import { Routes } from "./Routes";
import { TABS } from "./search";
import { SpendTable } from "./SpendTable";

export type SetupShown = GatewaySetupQuery;

const SetupChanged = graphql(`
  subscription GatewaySetupChanged($resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { categories: ["gateway"] }) {
      position
    }
  }
`);

/** The strip of tabs belongs to the head of the page. */
const TABS_CLASS = "flex-1 [&>[role=tablist]]:bg-surface md:[&>[role=tablist]]:px-3.5";

const route = getRouteApi("/gateway");

export function GatewayPage() {
  usePageTitle("Gateway");
  const { tab = "calls" } = route.useSearch();
  const navigate = useNavigate({ from: "/gateway" });
  const [isConnecting, setConnecting] = useState(false);
  const go = (next: (typeof TABS)[number]) =>
    void navigate({ search: (before) => ({ ...before, tab: next === "calls" ? undefined : next }) });
  const step = (by: number) => go(TABS[(TABS.indexOf(tab) + by + TABS.length) % TABS.length] ?? "calls");
  useKeys(
    [
      { keys: "]", does: "next tab", run: () => step(1) },
      { keys: "[", does: "tab before", run: () => step(-1) },
    ],
    "Gateway",
  );
  return (
    <>
      <PageHeader
        title="Gateway"
        actions={
          <Button onClick={() => setConnecting(true)}>
            <Icon name="api" /> Connect a client
          </Button>
        }
      >
        <span className="hidden sm:inline">
          One place through which language models are asked: routes, limits, cost and a record of each call.
        </span>
      </PageHeader>
      <Tabs
        label="Gateway"
        className={TABS_CLASS}
        value={tab}
        onChange={go}
        tabs={[
          { value: "calls", label: "Calls", content: <Calls onConnect={() => setConnecting(true)} /> },
          { value: "spend", label: "Spend", content: <SpendTable /> },
          {
            value: "routes",
            label: "Routes",
            content: <OfSetup show={(setup, mayWrite) => <Routes setup={setup} mayWrite={mayWrite} />} />,
          },
          {
            value: "providers",
            label: "Providers",
            content: <OfSetup show={(setup, mayWrite) => <Providers setup={setup} mayWrite={mayWrite} />} />,
          },
          {
            value: "limits",
            label: "Limits",
            content: <OfSetup show={(setup, mayWrite) => <Limits setup={setup} mayWrite={mayWrite} />} />,
          },
          {
            value: "prices",
            label: "Prices",
            content: <OfSetup show={(setup, mayWrite) => <Prices setup={setup} mayWrite={mayWrite} />} />,
          },
        ]}
      />
      <Connect isOpen={isConnecting} onClose={() => setConnecting(false)} />
    </>
  );
}

/** What is set up, as it is now, for the tabs that show a part of it. */
function OfSetup({ show }: { show: (setup: SetupShown, mayWrite: boolean) => ReactNode }) {
  const waitFor = useLastWrite();
  const { can } = useViewer();
  const [{ data, error }, again] = useQuery({ query: Setup, variables: { waitFor } });
  useLive(SetupChanged, {}, () => again({ requestPolicy: "network-only" }), {
    position: (event) => event.events.position,
    fromNow: true,
  });
  if (error) return <ErrorState fault={faultOf(error)} onRetry={() => again({ requestPolicy: "network-only" })} />;
  if (!data) {
    return (
      <div className="flex flex-col gap-3 p-6" aria-busy="true">
        <Skeleton className="h-24" />
        <Skeleton className="h-24" />
      </div>
    );
  }
  return <div className="p-4 md:p-6">{show(data, can("REGISTRY_WRITE"))}</div>;
}

import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { useQuery } from "urql";
import { faultOf, useLastWrite } from "@/api";
import { usePageTitle } from "@/app/title";
import { EmptyState, ErrorState, Skeleton } from "@/ui";
import { useCatalogue } from "./catalogue";
import { EditorWorkflow } from "./documents";
import { newDefinition, readDefinition } from "./model/definition";
import { Session } from "./Session";
import { VersionView } from "./VersionView";

const route = getRouteApi("/workflows/$workflowId");
/** Where a workflow is made that is not there yet. */
const NEW = "new";

export function EditorPage() {
  const { workflowId: address } = route.useParams();
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/workflows/$workflowId" });
  const waitFor = useLastWrite();
  const { catalogue, fault, retry } = useCatalogue();
  // A new workflow goes on in the same session when its address changes from `new` to its id.
  const [created, setCreated] = useState<string>();
  const id = address === NEW ? undefined : address;
  const [{ data, error }, again] = useQuery({
    query: EditorWorkflow,
    variables: { id: id ?? "", waitFor },
    pause: id === undefined,
  });
  const known = id !== undefined && data?.workflow?.id === id ? data.workflow : undefined;
  const isAdopted = id !== undefined && id === created;
  const initial = useMemo(() => newDefinition(), []);
  const stored = useMemo(() => readDefinition(known?.definition), [known?.definition]);
  usePageTitle("Workflow");

  if (fault) return <ErrorState fault={fault} onRetry={retry} />;
  if (id !== undefined && !isAdopted && !known) {
    if (error) return <ErrorState title="The workflow could not be read" fault={faultOf(error)} onRetry={again} />;
    if (data?.workflow === null) return <Missing />;
  }
  const isReady = catalogue && (id === undefined || isAdopted || (known && stored));
  if (!isReady) return <Loading />;
  if (search.version !== undefined && id !== undefined)
    return (
      <VersionView
        key={search.version}
        workflowId={id}
        version={search.version}
        catalogue={catalogue}
        search={search}
      />
    );
  return (
    <Session
      key={isAdopted ? NEW : address}
      workflowId={id}
      initial={id === undefined || isAdopted ? initial : (stored ?? initial)}
      revision={id === undefined || isAdopted ? 0 : (known?.history.revision ?? 0)}
      workflow={known}
      catalogue={catalogue}
      search={search}
      onCreated={(workflowId) => {
        setCreated(workflowId);
        void navigate({
          to: "/workflows/$workflowId",
          params: { workflowId },
          search: (before) => before,
          replace: true,
        });
      }}
    />
  );
}

function Missing() {
  return (
    <EmptyState icon="workflow" title="There is no such workflow">
      It may have been made on another server.{" "}
      <Link to="/workflows" className="text-accent underline">
        All workflows
      </Link>
    </EmptyState>
  );
}

function Loading() {
  return (
    <div aria-busy className="flex min-h-0 flex-1 flex-col">
      <div className="flex items-center gap-3 border-b bg-surface px-4 py-3">
        <Skeleton className="h-6 w-48" />
        <span className="flex-1" />
        <Skeleton className="h-8 w-56" />
      </div>
      <div className="flex flex-1 items-center justify-center gap-16">
        <Skeleton className="h-13 w-48 rounded-lg" />
        <Skeleton className="h-13 w-48 rounded-lg" />
        <Skeleton className="h-13 w-48 rounded-lg" />
      </div>
    </div>
  );
}

import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { Debugger, type DebuggerProps } from "./Debugger";
import { EmptyState, ErrorState, LinkButton, Skeleton } from "@/ui";
import { usePageTitle } from "@/app/title";
import { useModel } from "./history/model";
import { serverSource } from "./server-source";
import { SourceContext } from "./source";
import { useView } from "./view";

const route = getRouteApi("/executions/$executionId");
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function ExecutionPage() {
  const { executionId } = route.useParams();
  if (!ID.test(executionId)) return <Missing />;
  return <Opened key={executionId} id={executionId} />;
}

function Opened({ id }: { id: string }) {
  const [view, change] = useView();
  const { model, version, isLive } = useModel(id, view.position === undefined ? undefined : Number(view.position));
  usePageTitle(model.facts?.workflow?.name, "Execution");
  if (model.isMissing) return <Missing />;
  if (model.fault && !model.facts)
    return (
      <ErrorState
        fault={model.fault}
        onRetry={() => void model.open(undefined)}
        title="The execution could not be read"
      />
    );
  if (!model.facts) return <Opening />;
  return <Told model={model} facts={model.facts} version={version} isLive={isLive} view={view} change={change} />;
}

/** What it ran does not change, so that one source serves as long as it is looked at. */
function Told(props: DebuggerProps) {
  const { model, facts } = props;
  const [source] = useState(() => serverSource(model.id, facts));
  return (
    <SourceContext value={source}>
      <Debugger {...props} />
    </SourceContext>
  );
}

function Missing() {
  const navigate = useNavigate();
  usePageTitle("No such execution");
  return (
    <EmptyState
      icon="execution"
      title="There is no such execution"
      action={
        <LinkButton
          href="/executions"
          onClick={(event) => {
            event.preventDefault();
            void navigate({ to: "/executions" });
          }}
        >
          All executions
        </LinkButton>
      }
    >
      The address may be cut off, or it belongs to others.
    </EmptyState>
  );
}

function Opening() {
  return (
    <div aria-busy className="flex min-h-0 flex-1 flex-col">
      <h1 className="sr-only">Execution</h1>
      <div className="border-b bg-surface p-4">
        <Skeleton className="h-5 w-56" />
        <Skeleton className="mt-2 h-3 w-80 max-w-full" />
      </div>
      <div className="border-b bg-surface p-4">
        <Skeleton className="h-4 w-full" />
      </div>
      <div className="grid flex-1 gap-4 p-4 md:grid-cols-2">
        <Skeleton className="h-full" />
        <Skeleton className="h-full" />
      </div>
    </div>
  );
}

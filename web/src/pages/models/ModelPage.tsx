import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useQuery } from "urql";
import { faultOf, graphql, useChange, useLastWrite, useLive, useViewer } from "@/api";
import { useActions } from "@/app/actions";
import { useKeys } from "@/app/keys";
import { usePageTitle } from "@/app/title";
import type { ModelPageQuery } from "@/gql/graphql";
import {
  Badge,
  Button,
  ConfirmDialog,
  EmptyState,
  ErrorState,
  Icon,
  IconButton,
  Menu,
  PageHeader,
  Skeleton,
  Tabs,
} from "@/ui";
import { AddModel } from "./AddModel";
import { Disable, Enable, OneModel, Retire, RollBack } from "./documents";
import { Drift } from "./drift/Drift";
import { Inferences } from "./Inferences";
import { Metrics } from "./Metrics";
import { ModelStateBadge } from "./ModelsPage";
import { Past } from "./Past";
import { MODEL_TABS } from "./search";
import { Settings } from "./Settings";
import { Versions } from "./Versions";

export type ModelShown = NonNullable<ModelPageQuery["model"]>;

const ModelChanged = graphql(`
  subscription ModelChanged($name: ID!, $resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { stream: { category: "model", id: $name } }) {
      position
    }
  }
`);

/** Loads are events of workers, which know many models. */
const LoadsChanged = graphql(`
  subscription ModelLoadsChanged($resumeFrom: Position) {
    events(resumeFrom: $resumeFrom, filter: { categories: ["inference-worker"] }) {
      position
    }
  }
`);

/** The strip of tabs belongs to the head of the page. */
const TABS_CLASS = "flex-1 [&>[role=tablist]]:bg-surface md:[&>[role=tablist]]:px-3.5";

const route = getRouteApi("/models/$modelName");

export function ModelPage() {
  const { modelName } = route.useParams();
  usePageTitle(modelName, "Models");
  const waitFor = useLastWrite();
  const [{ data, error, fetching }, again] = useQuery({ query: OneModel, variables: { name: modelName, waitFor } });
  const reload = () => again({ requestPolicy: "network-only" });
  useLive(ModelChanged, { name: modelName }, reload, { position: (event) => event.events.position, fromNow: true });
  useLive(LoadsChanged, {}, reload, { position: (event) => event.events.position, fromNow: true });
  const model = data?.model;
  if (model?.name === modelName) return <Shown model={model} />;
  return (
    <>
      <PageHeader title={modelName} above={<Link to="/models">Models</Link>} />
      {error ? (
        <ErrorState fault={faultOf(error)} onRetry={reload} />
      ) : fetching || data === undefined ? (
        <div className="flex flex-col gap-3 p-6" aria-busy="true">
          <Skeleton className="h-6 w-1/2" />
          <Skeleton className="h-40" />
        </div>
      ) : (
        <EmptyState icon="model" title="There is no model of this name">
          It may have been misspelt.{" "}
          <Link to="/models" className="text-accent underline">
            See all models
          </Link>
          .
        </EmptyState>
      )}
    </>
  );
}

function Shown({ model }: { model: ModelShown }) {
  const { tab = "versions", add, upload } = route.useSearch();
  const navigate = useNavigate({ from: "/models/$modelName" });
  const { can } = useViewer();
  const [open, setOpen] = useState<"disable" | "retire" | "rollback" | undefined>();
  const close = () => setOpen(undefined);
  const payloads = { failed: "The model was not changed" };
  const [disable] = useChange(Disable, {
    payload: (data) => data.disableModel,
    done: "It answers no more",
    ...payloads,
  });
  const [enable] = useChange(Enable, { payload: (data) => data.enableModel, done: "It answers again", ...payloads });
  const [retire] = useChange(Retire, { payload: (data) => data.retireModel, done: "It was put away", ...payloads });
  const [rollBack] = useChange(RollBack, {
    payload: (data) => data.rollBackModel,
    done: "The version before answers again",
    ...payloads,
  });
  const mayWrite = can("REGISTRY_WRITE") && !model.retired;
  const go = (next: (typeof MODEL_TABS)[number]) =>
    void navigate({ search: (before) => ({ ...before, tab: next === "versions" ? undefined : next }), replace: true });
  const step = (by: number) =>
    go(MODEL_TABS[(MODEL_TABS.indexOf(tab) + by + MODEL_TABS.length) % MODEL_TABS.length] ?? "versions");
  const setAdd = (isOpen: boolean) =>
    void navigate({ search: (before) => ({ ...before, add: isOpen ? (true as const) : undefined }) });
  useKeys(
    [
      { keys: "]", does: "next tab", run: () => step(1) },
      { keys: "[", does: "tab before", run: () => step(-1) },
      ...(mayWrite ? [{ keys: "n", does: "add a version", run: () => setAdd(true) }] : []),
    ],
    "Model",
  );
  useActions(mayWrite ? [{ id: "model.add", label: `Add a version of ${model.name}`, run: () => setAdd(true) }] : []);
  return (
    <>
      <PageHeader
        above={
          <Link to="/models" className="hover:underline">
            Models
          </Link>
        }
        title={
          <span className="inline-flex max-w-full flex-wrap items-center gap-x-2">
            <span className="truncate">{model.name}</span>
            <ModelStateBadge model={model} />
            {model.promotedVersion == null ? (
              <Badge tone="warn">no version answers yet</Badge>
            ) : (
              <Badge>version {model.promotedVersion} answers</Badge>
            )}
          </span>
        }
        actions={
          mayWrite && (
            <>
              <Button kind="primary" onClick={() => setAdd(true)}>
                <Icon name="plus" /> Add a version
              </Button>
              <Menu
                trigger={<IconButton kind="plain" label="More" icon={<Icon name="more" />} />}
                items={[
                  {
                    label: "Roll back to the version before",
                    run: () => setOpen("rollback"),
                    disabled: model.promotedVersion == null,
                  },
                  model.disabled
                    ? { label: "Let it answer again", run: () => void enable({ input: { name: model.name } }) }
                    : { label: "Let it answer no more", run: () => setOpen("disable") },
                  "line",
                  { label: "Put it away for good", isDangerous: true, run: () => setOpen("retire") },
                ]}
              />
            </>
          )
        }
      >
        <span className="block max-w-3xl truncate" title={model.description}>
          {model.description}
        </span>
        {model.disabled && (
          <span className="block text-warn">
            Answers nothing{model.disabledReason ? `: ${model.disabledReason}` : "."}
          </span>
        )}
      </PageHeader>
      <Tabs
        label="Model"
        className={TABS_CLASS}
        value={tab}
        onChange={go}
        tabs={[
          {
            value: "versions",
            label: `Versions (${model.versions.length})`,
            content: <Versions model={model} mayWrite={mayWrite} />,
          },
          { value: "metrics", label: "Metrics", content: <Metrics model={model.name} /> },
          { value: "inferences", label: "Inferences", content: <Inferences model={model} /> },
          { value: "drift", label: "Drift", content: <Drift model={model} mayWrite={mayWrite} /> },
          {
            value: "settings",
            label: "Settings",
            content: <Settings key={model.history.updatedPosition} model={model} mayWrite={mayWrite} />,
          },
          { value: "past", label: "Which answered then?", content: <Past model={model} /> },
        ]}
      />
      <AddModel
        model={model.name}
        isOpen={add === true}
        upload={upload}
        onUpload={(id) => void navigate({ search: (before) => ({ ...before, upload: id }), replace: true })}
        onClose={() => setAdd(false)}
        onDone={() =>
          void navigate({ search: (before) => ({ ...before, tab: undefined, add: undefined, upload: undefined }) })
        }
      />
      <ConfirmDialog
        title={`Let ${model.name} answer no more`}
        isOpen={open === "disable"}
        onClose={close}
        confirm="Disable it"
        isDangerous
        reason="optional"
        onConfirm={async (reason) =>
          (await disable({ input: { name: model.name, reason: reason ?? "" } })).kind === "done"
        }
      >
        Requests are refused until somebody lets it answer again.
      </ConfirmDialog>
      <ConfirmDialog
        title="Roll back"
        isOpen={open === "rollback"}
        onClose={close}
        confirm="Roll back"
        reason="required"
        onConfirm={async (reason) =>
          (await rollBack({ input: { name: model.name, reason: reason ?? "" } })).kind === "done"
        }
      >
        The version that answered before version {model.promotedVersion} answers again.
      </ConfirmDialog>
      <ConfirmDialog
        title={`Put ${model.name} away`}
        isOpen={open === "retire"}
        onClose={close}
        confirm="Put it away for good"
        isDangerous
        onConfirm={async () => (await retire({ input: { name: model.name } })).kind === "done"}
      >
        It answers nothing any more, and its name stays taken. Its inferences stay to be looked at.
      </ConfirmDialog>
    </>
  );
}

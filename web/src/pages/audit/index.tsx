import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useQuery } from "urql";
import { useViewer } from "@/api";
import { useKeys } from "@/app/keys";
import { usePageTitle } from "@/app/title";
import { Button, Combobox, EmptyState, Field, PageHeader, Select } from "@/ui";
import { AuditAccounts } from "./documents";
import { GROUPS, GROUP_NAMES, type Group } from "./groups";
import { MomentField } from "@/parts/MomentField";
import { PERMISSION_WORDS } from "./permissions";
import { Review } from "./Review";
import type { AuditSearch } from "./search";
import { Trail } from "./Trail";

const route = getRouteApi("/audit");

/** Who did what, when, from where and why; and who may do what. */
export function AuditPage() {
  const search = route.useSearch();
  const navigate = useNavigate();
  const { can } = useViewer();
  const [isExporting, setExporting] = useState(false);
  const isReview = search.view === "access";
  usePageTitle(isReview ? "Access review" : undefined, "Audit");
  const change = (next: Partial<AuditSearch>) =>
    void navigate({ to: "/audit", search: (old: AuditSearch) => ({ ...old, ...next }) });
  const clear = () => void navigate({ to: "/audit", search: { view: search.view } });
  const show = (view: AuditSearch["view"]) => change({ view, position: undefined });
  useKeys(
    [
      { keys: "1", does: "who did what", run: () => show(undefined) },
      { keys: "2", does: "who may do what", run: () => show("access") },
      { keys: "x", does: "take all filters away", run: clear },
    ],
    "Audit",
  );
  if (!can("AUDIT_READ"))
    return (
      <>
        <PageHeader title="Audit" />
        <EmptyState icon="audit" title="The audit trail is not for your account">
          It needs the permission audit:read, which owners, admins and auditors have. Ask one of them.
        </EmptyState>
      </>
    );
  return (
    <>
      <PageHeader title="Audit" actions={<Button onClick={() => setExporting(true)}>Export</Button>} />
      <div className="flex flex-wrap items-start gap-2 border-b bg-surface px-4 py-2 md:px-6">
        <div role="group" aria-label="What is shown" className="flex rounded-md border p-0.5">
          {([undefined, "access"] as const).map((view) => (
            <button
              key={view ?? "trail"}
              type="button"
              aria-pressed={search.view === view}
              onClick={() => show(view)}
              className="h-6.5 rounded px-2.5 text-[13px] text-muted aria-pressed:bg-accent-soft aria-pressed:font-medium aria-pressed:text-accent"
            >
              {view === undefined ? "Who did what" : "Who may do what"}
            </button>
          ))}
        </div>
        <Narrow key={`${search.at ?? ""}${search.view ?? ""}`} search={search} onChange={change} />
      </div>
      {isReview ? (
        <Review search={search} isExporting={isExporting} onExport={setExporting} />
      ) : (
        <Trail search={search} onChange={change} onClear={clear} isExporting={isExporting} onExport={setExporting} />
      )}
    </>
  );
}

function Narrow({ search, onChange }: { search: AuditSearch; onChange: (change: Partial<AuditSearch>) => void }) {
  const { can } = useViewer();
  const [{ data }] = useQuery({ query: AuditAccounts, pause: !can("ACCOUNT_READ"), requestPolicy: "cache-first" });
  const accounts = (data?.accounts.nodes ?? []).map(({ id, name, email }) => ({
    value: id,
    label: email ? `${name} (${email})` : name,
  }));
  const isReview = search.view === "access";
  return (
    <>
      {isReview ? (
        <Field label="Permission" hideLabel className="min-w-40 flex-1 lg:max-w-60">
          <Select
            value={search.permission ?? ""}
            onChange={(permission) => onChange({ permission })}
            choices={[
              { value: "", label: "Whatever it is" },
              ...Object.entries(PERMISSION_WORDS).map(([value, label]) => ({ value, label })),
            ]}
          />
        </Field>
      ) : (
        <Field label="What" hideLabel className="min-w-40 flex-1 lg:max-w-60">
          <Select
            value={search.group ?? ""}
            onChange={(group) => onChange({ group: group === "" ? undefined : group })}
            choices={[
              { value: "" as const, label: "All changes and sign-ins" },
              ...GROUPS.map((group): { value: Group | ""; label: string } => ({
                value: group,
                label: GROUP_NAMES[group],
              })),
            ]}
          />
        </Field>
      )}
      <Field label="Who" hideLabel className="min-w-32 flex-1 lg:max-w-56">
        <Combobox
          value={(isReview ? search.account : search.actor) ?? ""}
          placeholder="Anybody"
          isFree={!isReview}
          onChange={(who) => onChange(isReview ? { account: who } : { actor: who.trim() })}
          choices={[{ value: "", label: "Anybody" }, ...accounts]}
        />
      </Field>
      <MomentField value={search.at} onChange={(at) => at !== search.at && onChange({ at })} />
    </>
  );
}

import { useState } from "react";
import { type Fault, client, faultOf } from "@/api";
import { FaultNote, Icon, Table } from "@/ui";
import { AdminErasurePreview } from "./documents";
import { type Preview, inTheWay, whatGoes } from "./words";

export type DryRunState =
  { kind: "none" } | { kind: "running" } | { kind: "done"; preview: Preview } | { kind: "failed"; fault: Fault };

/** A dry run that somebody asked for: it is not asked for by itself, since it reads the whole log. */
export function useDryRun(): [DryRunState, run: (subject: string) => void, forget: () => void] {
  const [state, setState] = useState<DryRunState>({ kind: "none" });
  const run = (subject: string) => {
    setState({ kind: "running" });
    void client
      .query(AdminErasurePreview, { subject }, { requestPolicy: "network-only" })
      .toPromise()
      .then(({ data, error }) => {
        if (error) setState({ kind: "failed", fault: faultOf(error) });
        else if (data) setState({ kind: "done", preview: data.erasurePreview });
      });
  };
  return [state, run, () => setState({ kind: "none" })];
}

/** What an erasure would take, and what is in its way. */
export function DryRun({ state }: { state: DryRunState }) {
  if (state.kind === "none") return null;
  if (state.kind === "running")
    return (
      <p role="status" className="text-[13px] text-muted">
        The log is read…
      </p>
    );
  if (state.kind === "failed") return <FaultNote fault={state.fault} />;
  const { preview } = state;
  const problems = inTheWay(preview);
  return (
    <section aria-label="Dry run" className="flex flex-col gap-2 text-[13px]">
      <p role="status">{whatGoes(preview)}</p>
      {preview.categories.length > 0 && (
        <Table
          label="Events by kind"
          rows={preview.categories}
          keyOf={(row) => row.category}
          columns={[
            { key: "category", header: "Kind", cell: (row) => row.category },
            { key: "events", header: "Events", align: "end", cell: (row) => row.events },
          ]}
        />
      )}
      {problems.length > 0 ? (
        <div className="rounded-md bg-warn-soft px-3 py-2 text-warn">
          <p className="flex items-center gap-1.5 font-medium">
            <Icon name="warning" className="size-3.5" /> In the way
          </p>
          <ul className="mt-1 list-disc pl-5">
            {problems.map((problem) => (
              <li key={problem}>{problem}</li>
            ))}
          </ul>
        </div>
      ) : (
        <p className="text-muted">Nothing is in the way. Nothing was changed.</p>
      )}
    </section>
  );
}

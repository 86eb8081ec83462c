import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useQuery } from "urql";
import { faultOf } from "@/api";
import { Button, ErrorState, Field, Input, Select, Skeleton } from "@/ui";
import { Panel } from "@/ui/Panel";
import type { ModelShown } from "../ModelPage";
import type { ModelSearch } from "../search";
import { USUAL } from "./bounds";
import { type ComparisonDraft, type ComparisonProblems, LAST_MAX, askedOf, draftOf, variablesOf } from "./comparison";
import { DriftReport } from "./documents";
import { BoundsFields, TargetFields, TimesFields } from "./Fields";
import { ReportView } from "./ReportView";

const route = getRouteApi("/models/$modelName");

/** Compares recorded inferences with others, once. What is compared is in the address. */
export function Compare({ model }: { model: ModelShown }) {
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/models/$modelName" });
  const variables = variablesOf(model.name, search);
  const [{ data, error, fetching }, again] = useQuery({
    query: DriftReport,
    variables: variables ?? { name: model.name },
    pause: variables === undefined,
    requestPolicy: "network-only",
  });
  const ask = (draft: ComparisonDraft): ComparisonProblems => {
    const read = askedOf(draft);
    if ("problems" in read) return read.problems;
    const isSame = JSON.stringify(variablesOf(model.name, read.asked)) === JSON.stringify(variables);
    // The same question has another answer once more was asked of the model.
    if (isSame) again({ requestPolicy: "network-only" });
    else void navigate({ search: (before) => ({ ...before, ...read.asked }), replace: true });
    return {};
  };
  const bounds = { moderate: search.moderate ?? USUAL.moderate, drifted: search.drifted ?? USUAL.drifted };
  return (
    <Panel
      title="Compare"
      hint="What went in and came out of recorded inferences, with what did before. Nothing is computed again."
    >
      <div className="flex flex-col gap-4">
        <CompareForm model={model} search={search} isBusy={variables !== undefined && fetching} onAsk={ask} />
        {variables !== undefined && fetching && (
          <div aria-busy="true">
            <Skeleton className="h-40" />
          </div>
        )}
        {variables !== undefined && !fetching && error && (
          <ErrorState
            title="The comparison was not made"
            fault={faultOf(error)}
            onRetry={() => again({ requestPolicy: "network-only" })}
          />
        )}
        {variables !== undefined && !fetching && data?.modelDrift && (
          <ReportView report={data.modelDrift} bounds={bounds} />
        )}
      </div>
    </Panel>
  );
}

interface CompareFormProps {
  model: ModelShown;
  search: ModelSearch;
  isBusy: boolean;
  /** Answers what is wrong, by field. */
  onAsk: (draft: ComparisonDraft) => ComparisonProblems;
}

function CompareForm({ model, search, isBusy, onAsk }: CompareFormProps) {
  const [draft, setDraft] = useState(() => draftOf(search, Date.now()));
  const [problems, setProblems] = useState<ComparisonProblems>({});
  const change = (part: Partial<ComparisonDraft>) => {
    setDraft({ ...draft, ...part });
    setProblems({});
  };
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        setProblems(onAsk(draft));
      }}
    >
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label="What is compared">
          <Select
            value={draft.by}
            choices={[
              { value: "newest", label: "the newest, with as many before them" },
              { value: "times", label: "what was answered in two times" },
            ]}
            onChange={(by) => change({ by })}
          />
        </Field>
        {draft.by === "newest" && (
          <Field label="How many on each side" hint={`At most ${LAST_MAX.toLocaleString("en")}.`} error={problems.last}>
            <Input inputMode="numeric" value={draft.last} onChange={(event) => change({ last: event.target.value })} />
          </Field>
        )}
      </div>
      {draft.by === "times" && (
        <div className="grid gap-4 lg:grid-cols-2">
          <TimesFields
            legend="The window, in your time zone"
            value={draft.window}
            problem={problems.window}
            onChange={(window) => change({ window })}
          />
          <TimesFields
            legend="The baseline that it is compared with"
            value={draft.baseline}
            problem={problems.baseline}
            onChange={(baseline) => change({ baseline })}
          />
        </div>
      )}
      <TargetFields model={model} value={draft} onChange={change} />
      <BoundsFields value={draft.bounds} problems={problems} onChange={(bounds) => change({ bounds })} />
      <div>
        <Button type="submit" kind="primary" isBusy={isBusy}>
          Compare
        </Button>
      </div>
    </form>
  );
}

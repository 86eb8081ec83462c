import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useQuery } from "urql";
import { faultOf, useLastWrite } from "@/api";
import { useActions } from "@/app/actions";
import { useKeys } from "@/app/keys";
import { usePageTitle } from "@/app/title";
import type { EvaluationComparisonQuery, EvaluationFactsFragment } from "@/gql/graphql";
import { Button, EmptyState, ErrorState, Icon, PageHeader, Skeleton } from "@/ui";
import { ChangedCases } from "./ChangedCases";
import { ComparedScorers } from "./ComparedScorers";
import { ComparisonSide } from "./ComparisonSide";
import { Comparison, SideOfComparison } from "./documents";
import type { ComparisonSearch } from "./search";
import { useTried } from "./Tried";

export type Compared = NonNullable<EvaluationComparisonQuery["compareEvaluations"]>;

const route = getRouteApi("/evaluations/compare");

/** Two evaluations of one version of a set: by each scorer, and case by case, what got worse first. */
export function ComparisonPage() {
  const { before, after } = route.useSearch();
  const navigate = useNavigate({ from: "/evaluations/compare" });
  const put = (part: Partial<ComparisonSearch>) =>
    void navigate({ search: (had) => ({ ...had, ...part }), replace: true });
  const one = useSide(before);
  const other = useSide(after);
  usePageTitle("Evaluations compared");
  const swap = () => put({ before: after, after: before });
  useKeys([{ keys: "x", does: "swap the two", run: swap }], "Comparison of evaluations");
  useActions([{ id: "evaluations.swap", label: "Swap the two evaluations", run: swap }]);
  const known = one.evaluation ?? other.evaluation;
  return (
    <>
      <PageHeader
        above={<Above setName={known?.setName} />}
        title="Evaluations compared"
        actions={
          <Button onClick={swap} disabled={before === undefined && after === undefined}>
            <Icon name="compare" /> Swap
          </Button>
        }
      />
      <div className="flex flex-col gap-4 p-4 md:p-6">
        {before === undefined && after === undefined ? (
          <EmptyState icon="compare" title="Choose two evaluations">
            They are chosen in the list of evaluations of a set.{" "}
            <Link to="/evaluation-sets" className="text-accent underline">
              See all evaluation sets
            </Link>
            .
          </EmptyState>
        ) : (
          <div className="grid gap-3 lg:grid-cols-2">
            <ComparisonSide name="Before" side={one} other={other.evaluation} onChoose={(id) => put({ before: id })} />
            <ComparisonSide name="After" side={other} other={one.evaluation} onChoose={(id) => put({ after: id })} />
          </div>
        )}
        {before !== undefined && after !== undefined && <Both before={before} after={after} />}
      </div>
    </>
  );
}

/** What is known of one of the two. */
export interface Side {
  /** What the address says. */
  id: string | undefined;
  evaluation: EvaluationFactsFragment | undefined;
  isMissing: boolean;
}

function useSide(id: string | undefined): Side {
  const waitFor = useLastWrite();
  const [{ data }] = useQuery({
    query: SideOfComparison,
    variables: { id: id ?? "", waitFor },
    pause: id === undefined,
  });
  const evaluation = data?.evaluation?.id === id ? data?.evaluation : undefined;
  return { id, evaluation: evaluation ?? undefined, isMissing: id !== undefined && data?.evaluation === null };
}

function Above({ setName }: { setName?: string | null }) {
  return (
    <>
      <Link to="/evaluation-sets" className="hover:underline">
        Evaluation sets
      </Link>
      {setName != null && (
        <>
          {" / "}
          <Link
            to="/evaluation-sets/$setName"
            params={{ setName }}
            search={{ tab: "evaluations" }}
            className="hover:underline"
          >
            {setName}
          </Link>
        </>
      )}
    </>
  );
}

function Both({ before, after }: { before: string; after: string }) {
  const waitFor = useLastWrite();
  const [{ data, error, fetching }, again] = useQuery({ query: Comparison, variables: { before, after, waitFor } });
  const compared = data?.compareEvaluations;
  const fault = error && !fetching ? faultOf(error) : undefined;
  // The server says in words why, and what to do: that both are to be of the same version, or have a scorer in common.
  if (fault?.kind === "refused")
    return (
      <EmptyState icon="compare" title="These cannot be compared">
        {fault.message}
      </EmptyState>
    );
  if (fault) return <ErrorState fault={fault} onRetry={() => again({ requestPolicy: "network-only" })} />;
  if (compared?.before.id === before && compared.after.id === after) return <Shown compared={compared} />;
  if (fetching || data === undefined)
    return (
      <div aria-busy="true">
        <Skeleton className="h-40" />
      </div>
    );
  return (
    <EmptyState icon="compare" title="One of them is not there">
      Choose another one above.
    </EmptyState>
  );
}

function Shown({ compared }: { compared: Compared }) {
  const { scorer: said } = route.useSearch();
  const navigate = useNavigate({ from: "/evaluations/compare" });
  const names = [useTried(compared.before), useTried(compared.after)] as const;
  usePageTitle(`${names[0]} and ${names[1]}`, compared.before.setName ?? undefined, "Evaluations compared");
  const chosen = compared.scorers.find((one) => one.name === said) ?? compared.scorers[0];
  if (!chosen) return null;
  return (
    <>
      <ComparedScorers
        compared={compared}
        names={names}
        chosen={chosen.name}
        onChoose={(scorer) => void navigate({ search: (had) => ({ ...had, scorer }), replace: true })}
      />
      <ChangedCases compared={compared} names={names} scorer={chosen} />
    </>
  );
}

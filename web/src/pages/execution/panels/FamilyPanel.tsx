import { Link } from "@tanstack/react-router";
import { useQuery } from "urql";
import { faultOf, graphql } from "@/api";
import { EmptyState, ErrorState, FaultNote, Icon, type IconName, Skeleton, StatusBadge, Time } from "@/ui";
import type { ExecutionFamilyMemberFragment } from "@/gql/graphql";
import type { ExecutionFacts } from "../history/model";

export const ExecutionFamilyMember = graphql(`
  fragment ExecutionFamilyMember on Execution {
    id
    status
    trigger
    startedAt
    errorMessage
    retryOf
    retriedAs
    forkedFrom {
      executionId
      position
      reason
    }
  }
`);

const ExecutionFamily = graphql(`
  query ExecutionFamily($id: UUID!, $waitFor: Position) {
    execution(id: $id, waitFor: $waitFor) {
      id
      forks(first: 50) {
        nodes {
          ...ExecutionFamilyMember
          forks(first: 20) {
            nodes {
              ...ExecutionFamilyMember
            }
          }
        }
        pageInfo {
          hasNextPage
        }
      }
    }
  }
`);

const ExecutionMember = graphql(`
  query ExecutionMember($id: UUID!) {
    execution(id: $id) {
      ...ExecutionFamilyMember
    }
  }
`);

type Member = ExecutionFamilyMemberFragment;

/** What this execution comes from, and what goes on from it: retries, forks, links of a long one. */
export function FamilyPanel({ facts, waitFor }: { facts: ExecutionFacts; waitFor: string | undefined }) {
  const [{ data, error, fetching }, again] = useQuery({ query: ExecutionFamily, variables: { id: facts.id, waitFor } });
  const forks = data?.execution?.forks;
  // What it forks or tries again is also what it runs because of.
  const isTold = [facts.retryOf, facts.forkedFrom?.executionId].includes(facts.causedBy ?? undefined);
  const above: [string, IconName, string | null | undefined][] = [
    ["forked from", "fork", facts.forkedFrom?.executionId],
    ["tries again", "retry", facts.retryOf],
    ["goes on from", "execution", facts.continuedFrom],
    ["runs because of", "workflow", isTold ? undefined : facts.causedBy],
  ];
  const below: [string, IconName, string | null | undefined][] = [
    ["tried again as", "retry", facts.retriedAs],
    ["goes on as", "execution", facts.continuedAs],
  ];
  const isAlone =
    [...above, ...below].every(([, , id]) => id === null || id === undefined) && forks?.nodes.length === 0;
  if (error && !data)
    return <ErrorState fault={faultOf(error)} onRetry={() => again({ requestPolicy: "network-only" })} />;
  if (fetching && !data) return <Skeleton className="m-4 h-24" />;
  if (isAlone)
    return (
      <EmptyState icon="fork" title="No forks and no retries">
        A fork goes on from any event with something changed, and without its effects: press <kbd>f</kbd> where it
        should begin. The two can then be compared.
      </EmptyState>
    );
  return (
    <div className="overflow-auto p-4">
      <ul aria-label="Executions that belong together" className="flex flex-col gap-1">
        {above.map(
          ([words, icon, id]) => id && <One key={words} id={id} words={words} icon={icon} of={facts.id} depth={0} />,
        )}
        <li
          className="flex items-center gap-2 rounded-md bg-accent-soft px-3 py-2 text-[13px]"
          style={{ marginLeft: "20px" }}
        >
          <Icon name="execution" />
          <span className="font-medium">This execution</span>
          <StatusBadge status={facts.status} />
          <span className="ml-auto text-xs text-muted">
            <Time value={facts.startedAt} />
          </span>
        </li>
        {below.map(
          ([words, icon, id]) => id && <One key={words} id={id} words={words} icon={icon} of={facts.id} depth={2} />,
        )}
        {forks?.nodes.map((fork) => (
          <Fork key={fork.id} member={fork} of={facts.id} depth={2} forks={fork.forks.nodes} />
        ))}
      </ul>
      {forks?.pageInfo.hasNextPage === true && (
        <p className="mt-2 text-xs text-muted">The fifty newest forks are shown.</p>
      )}
    </div>
  );
}

function Fork({ member, of, depth, forks }: { member: Member; of: string; depth: number; forks?: readonly Member[] }) {
  return (
    <>
      <Row member={member} words="fork" icon="fork" of={of} depth={depth} />
      {forks?.map((fork) => (
        <Row key={fork.id} member={fork} words="fork of that" icon="fork" of={member.id} depth={depth + 1} />
      ))}
    </>
  );
}

interface OneProps {
  id: string;
  words: string;
  icon: IconName;
  of: string;
  depth: number;
}

function One({ id, ...rest }: OneProps) {
  const [{ data, error }, again] = useQuery({ query: ExecutionMember, variables: { id } });
  if (data && !data.execution) return null;
  if (error && !data)
    return (
      <li>
        <FaultNote fault={faultOf(error)} onRetry={again} />
      </li>
    );
  if (!data?.execution)
    return (
      <li>
        <Skeleton className="h-9 w-full" />
      </li>
    );
  return <Row member={data.execution} {...rest} />;
}

function Row({ member, words, icon, of, depth }: { member: Member } & Omit<OneProps, "id">) {
  return (
    <li
      className="flex flex-wrap items-center gap-2 rounded-md border px-3 py-2 text-[13px]"
      style={{ marginLeft: `${depth * 20}px` }}
    >
      <Icon name={icon} className="text-muted" />
      <span className="text-muted">{words}</span>
      <Link
        to="/executions/$executionId"
        params={{ executionId: member.id }}
        className="font-mono text-[12.5px] text-accent hover:underline"
      >
        {member.id.slice(0, 8)}…{member.id.slice(-4)}
      </Link>
      <StatusBadge status={member.status} />
      {member.forkedFrom && (
        <span className="min-w-0 truncate text-xs text-muted" title={member.forkedFrom.reason}>
          at #{member.forkedFrom.position}
          {member.forkedFrom.reason !== "" && ` · ${member.forkedFrom.reason}`}
        </span>
      )}
      {member.errorMessage !== null && (
        <span className="min-w-0 flex-1 basis-32 truncate text-xs text-bad" title={member.errorMessage}>
          {member.errorMessage}
        </span>
      )}
      <span className="ml-auto flex items-center gap-3 text-xs text-muted">
        <Time value={member.startedAt} />
        <Link to="/compare" search={{ left: of, right: member.id }} className="text-accent hover:underline">
          Compare
        </Link>
      </span>
    </li>
  );
}

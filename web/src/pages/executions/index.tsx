import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { useRef } from "react";
import { useQuery } from "urql";
import { useLastWrite } from "@/api";
import { useActions } from "@/app/actions";
import { useKeys } from "@/app/keys";
import { usePageTitle } from "@/app/title";
import { Kbd, PageHeader, classes } from "@/ui";
import { ExecutionsGroups } from "./documents";
import { ExecutionsTable } from "./ExecutionsTable";
import { Filters } from "./Filters";
import { ByCause, ByWorkflow } from "./Groups";
import { PayloadHits } from "./PayloadHits";
import { SearchBox } from "./SearchBox";
import { narrowedTo } from "./matches";
import { type ExecutionsSearch, filterOf } from "./search";

const route = getRouteApi("/executions");

export function ExecutionsPage() {
  const search = route.useSearch();
  const navigate = useNavigate({ from: "/executions" });
  const box = useRef<HTMLInputElement>(null);
  usePageTitle("Executions");
  const change = (part: Partial<ExecutionsSearch>) =>
    void navigate({ search: (before) => ({ ...before, details: undefined, ...part }) });
  const unresolvedCount = useUnresolvedCount();
  const group = (by: ExecutionsSearch["group"]) =>
    change({ ...narrowedTo(by, filterOf({ ...search })), group: by, query: undefined });
  const toggleUnresolved = () => change({ unresolved: search.unresolved === true ? undefined : true });
  const toggleOrder = () => change({ order: search.order === undefined ? "newest" : undefined });
  useKeys(
    [
      { keys: "/", does: "search in payloads", run: () => box.current?.focus() },
      { keys: "u", does: "only what is unresolved, or all", run: toggleUnresolved },
      { keys: "o", does: "unresolved first, or the newest", run: toggleOrder },
      { keys: "v l", does: "show one by one", run: () => change({ group: undefined, query: undefined }) },
      { keys: "v c", does: "group by cause", run: () => group("cause") },
      { keys: "v w", does: "group by workflow", run: () => group("workflow") },
    ],
    "Executions",
  );
  useActions([
    {
      id: "executions-unresolved",
      label: "Show failures that nobody has looked after",
      keywords: "unresolved dead letters",
      run: () => change({ unresolved: true, group: undefined, query: undefined }),
    },
    {
      id: "executions-cause",
      label: "Group failures by cause",
      keywords: "error fingerprint",
      run: () => change({ group: "cause", unresolved: true, query: undefined }),
    },
    { id: "executions-search", label: "Search in payloads", run: () => box.current?.focus() },
  ]);
  const { query } = search;
  return (
    <>
      <PageHeader
        title="Executions"
        actions={
          <>
            <SearchBox ref={box} query={query} onQuery={(text) => change({ query: text })} />
            {query === undefined && <Grouping search={search} onChange={change} />}
            <Link to="/capsule" className="text-[13px] whitespace-nowrap text-accent hover:underline">
              Open a capsule
            </Link>
          </>
        }
      />
      {query === undefined ? (
        <>
          <Filters search={search} onChange={change} unresolvedCount={unresolvedCount} />
          {search.group === "cause" && <ByCause search={search} onChange={change} />}
          {search.group === "workflow" && <ByWorkflow search={search} onChange={change} />}
          {search.group === undefined && <ExecutionsTable search={search} onChange={change} />}
        </>
      ) : (
        <PayloadHits query={query} />
      )}
      <p className="hidden items-center gap-3 border-t bg-surface px-6 py-1.5 text-xs text-muted md:flex">
        <span>
          <Kbd keys="/" /> search payloads
        </span>
        <span>
          <Kbd keys="x" /> choose
        </span>
        <span>
          <Kbd keys="i" /> details
        </span>
        <span>
          <Kbd keys="?" /> all keys
        </span>
      </p>
    </>
  );
}

/** How many failures nobody has looked after, of the newest 10,000. */
function useUnresolvedCount(): number | undefined {
  const waitFor = useLastWrite();
  const [{ data }] = useQuery({
    query: ExecutionsGroups,
    variables: { first: 100, unresolved: true, waitFor },
  });
  return data?.executionGroups.nodes.reduce((sum, group) => sum + group.executionCount, 0);
}

function Grouping({
  search,
  onChange,
}: {
  search: ExecutionsSearch;
  onChange: (change: Partial<ExecutionsSearch>) => void;
}) {
  const choices = [
    { group: undefined, label: "One by one" },
    { group: "cause", label: "By cause" },
    { group: "workflow", label: "By workflow" },
  ] as const;
  return (
    <div role="group" aria-label="Grouping" className="flex rounded-md border bg-sunken p-0.5">
      {choices.map(({ group, label }) => (
        <button
          key={label}
          type="button"
          aria-pressed={search.group === group}
          onClick={() => onChange({ ...narrowedTo(group, filterOf({ ...search })), group })}
          className={classes(
            "rounded px-2 py-0.5 text-[13px] whitespace-nowrap",
            search.group === group ? "bg-surface font-medium shadow-sm" : "text-muted hover:text-text",
          )}
        >
          {label}
        </button>
      ))}
    </div>
  );
}

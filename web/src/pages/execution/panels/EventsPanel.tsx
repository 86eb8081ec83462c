import { useMemo } from "react";
import { Button, EmptyState, Icon, Menu, Splitter } from "@/ui";
import type { History } from "../history/history";
import type { ExecutionSearch } from "../search";
import type { ChangeView } from "../view";
import { EventDetail } from "./EventDetail";
import { EventRows } from "./EventRows";
import { type PayloadHits, usePayloadHits } from "./payload-hits";

export interface EventsPanelProps {
  history: History;
  version: number;
  revision: number;
  view: ExecutionSearch;
  change: ChangeView;
  onGo: (revision: number) => void;
  searchId: string;
}

export function EventsPanel(props: EventsPanelProps) {
  const { history, version, revision, view, change, onGo, searchId } = props;
  const hits = usePayloadHits(view.find ?? "");
  const rows = useRows(history, version, view, hits);
  const types = useMemo(() => typesOf(history), [history, version]); // eslint-disable-line react-hooks/exhaustive-deps
  const chosen = new Set(view.types ?? []);
  const toggle = (type: string) => {
    const next = chosen.has(type) ? [...chosen].filter((one) => one !== type) : [...chosen, type];
    change({ types: next.length > 0 ? next : undefined });
  };
  const position = history.event(revision)?.position;
  const list = (
    <>
      <div className="flex items-center gap-1.5 border-b px-3 py-1.5">
        <input
          id={searchId}
          type="search"
          aria-label="Search in events and payloads"
          placeholder="Search events and payloads ( / )"
          value={view.find ?? ""}
          onChange={(event) => change({ find: event.target.value === "" ? undefined : event.target.value })}
          className="h-7 min-w-0 flex-1 rounded border border-line-strong/60 bg-surface px-2 text-[13px] placeholder:text-muted"
        />
        <Menu
          trigger={
            <Button size="small" kind={chosen.size > 0 ? "primary" : "plain"}>
              {chosen.size > 0 ? `${chosen.size} types` : "All types"} <Icon name="down" className="size-3" />
            </Button>
          }
          items={[
            { label: "All types", run: () => change({ types: undefined }), checked: chosen.size === 0 },
            "line",
            ...types.map((type) => ({ label: type, run: () => toggle(type), checked: chosen.has(type) })),
          ]}
        />
      </div>
      <Status hits={hits} shown={rows?.length} query={view.find ?? ""} />
      {rows?.length === 0 ? (
        <EmptyState icon="search" title="No event is like that">
          <p>Names of nodes, types and what is in payloads are looked through.</p>
          <div className="mt-3">
            <Button onClick={() => change({ find: undefined, types: undefined })}>Show all events</Button>
          </div>
        </EmptyState>
      ) : (
        <EventRows history={history} version={version} revision={revision} rows={rows} hits={hits} onGo={onGo} />
      )}
    </>
  );
  return (
    <Splitter
      label="Events and the chosen event"
      direction="column"
      initial={60}
      keepAs="execution-events"
      first={list}
      second={<EventDetail position={position} />}
    />
  );
}

function Status({ hits, shown, query }: { hits: PayloadHits; shown: number | undefined; query: string }) {
  if (query === "" && shown === undefined) return null;
  return (
    <p role="status" className="flex items-center gap-2 border-b px-3 py-1 text-xs text-muted">
      {shown !== undefined && <span>{shown.toLocaleString()} shown</span>}
      {query.length === 1 && <span>payloads are searched from two characters on</span>}
      {hits.isSearching && <span>searching payloads …</span>}
      {hits.problem !== undefined && <span className="text-bad">{hits.problem}</span>}
      {hits.more && (
        <Button size="small" kind="quiet" onClick={hits.more}>
          Search further
        </Button>
      )}
    </p>
  );
}

/** Revisions that pass the filters; `undefined` when there is none. */
function useRows(history: History, version: number, view: ExecutionSearch, hits: PayloadHits): number[] | undefined {
  const find = (view.find ?? "").toLowerCase();
  const key = view.types?.join("\n") ?? "";
  return useMemo(() => {
    if (find === "" && key === "") return undefined;
    const types = new Set(key === "" ? [] : key.split("\n"));
    const rows: number[] = [];
    for (let revision = 1; revision <= history.length; revision += 1) {
      const event = history.event(revision);
      if (!event || (types.size > 0 && !types.has(event.type))) continue;
      const isFound =
        find === "" ||
        event.type.toLowerCase().includes(find) ||
        event.node?.toLowerCase().includes(find) === true ||
        hits.excerpts.has(event.position);
      if (isFound) rows.push(revision);
    }
    return rows;
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [history, version, find, key, hits.excerpts]);
}

function typesOf(history: History): string[] {
  const types = new Set<string>();
  for (let revision = 1; revision <= history.length; revision += 1) {
    const event = history.event(revision);
    if (event) types.add(event.type);
  }
  return [...types].sort();
}

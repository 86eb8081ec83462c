import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useQuery } from "urql";
import { faultOf, useLastWrite, useLive, useViewer } from "@/api";
import { useActions } from "@/app/actions";
import { actorName } from "@/parts/ActorName";
import {
  Badge,
  Button,
  type Column,
  EmptyState,
  ErrorState,
  Skeleton,
  Splitter,
  Time,
  VirtualTable,
  rowsOf,
} from "@/ui";
import { useIsWide } from "@/ui/wide";
import { SectionHead } from "../parts";
import { AdminErasures, AdminSubjectEvents, type Subject } from "./documents";
import { AskErasure, PlaceHold } from "./forms";
import { SubjectPane } from "./SubjectPane";
import { STATUS_WORDS } from "./words";

const COLUMNS: Column<Subject>[] = [
  {
    key: "name",
    header: "Subject",
    width: "minmax(0, 1.4fr)",
    cell: (row) => <span className="font-medium">{row.name ?? row.id}</span>,
  },
  {
    key: "status",
    header: "State",
    width: "8rem",
    cell: (row) => {
      const { tone, words } = STATUS_WORDS[row.status];
      return <Badge tone={tone}>{words}</Badge>;
    },
  },
  {
    key: "holds",
    header: "Holds",
    width: "4rem",
    align: "end",
    wideOnly: true,
    cell: (row) => (row.holds.length > 0 ? row.holds.length : <span className="text-muted">–</span>),
  },
  {
    key: "who",
    header: "Asked for by",
    width: "minmax(0, 0.8fr)",
    wideOnly: true,
    cell: (row) => (row.request ? actorName(row.request.actor) : <span className="text-muted">–</span>),
  },
  {
    key: "erased",
    header: "Erased",
    width: "7rem",
    align: "end",
    wideOnly: true,
    cell: (row) => <Time value={row.erasedAt} />,
  },
];

const route = getRouteApi("/admin/$section");

/** Whose data is to be erased, was erased, or is held; by two users each. */
export function Erasures() {
  const { subject: chosen } = route.useSearch();
  const navigate = useNavigate();
  const { can } = useViewer();
  const isWide = useIsWide();
  const [doing, setDoing] = useState<"ask" | "hold">();
  const [{ data, error, fetching }, again] = useQuery({ query: AdminErasures, requestPolicy: "network-only" });
  const written = useLastWrite();
  useEffect(() => {
    if (written !== undefined) again({ requestPolicy: "network-only" });
  }, [written, again]);
  useLive(AdminSubjectEvents, {}, () => again({ requestPolicy: "network-only" }), {
    position: ({ events }) => events.position,
    fromNow: true,
    enabled: can("AUDIT_READ"),
  });
  useActions([
    {
      id: "admin.erase",
      label: "Erase the data of a subject",
      keywords: "gdpr delete person",
      run: () => setDoing("ask"),
    },
    { id: "admin.hold", label: "Place a legal hold", run: () => setDoing("hold") },
  ]);
  const open = (id: string | undefined) =>
    void navigate({ to: "/admin/$section", params: { section: "erasures" }, search: { subject: id } });
  const subjects = data?.erasures;
  const found = subjects?.find((one) => one.id === chosen);
  const pane = found !== undefined && <SubjectPane key={found.id} subject={found} onClose={() => open(undefined)} />;
  const list = (
    <div className="flex min-h-0 min-w-0 flex-1 flex-col">
      {error && !subjects && <ErrorState fault={faultOf(error)} onRetry={() => again()} />}
      {!error && fetching && !subjects && <Skeleton className="m-6 h-24 w-auto" />}
      {subjects && (
        <VirtualTable
          label="Subjects"
          rows={rowsOf(subjects)}
          columns={pane !== false && isWide ? COLUMNS.filter(({ key }) => key === "name" || key === "status") : COLUMNS}
          keyOf={(row) => row.id}
          selectedKey={chosen}
          onOpen={(row) => open(row.id)}
          empty={<Nothing onAsk={() => setDoing("ask")} />}
        />
      )}
    </div>
  );
  const close = (id?: string) => {
    setDoing(undefined);
    if (id !== undefined) open(id);
  };
  return (
    <>
      {(isWide || pane === false) && (
        <SectionHead
          title="Erasures"
          actions={
            <>
              <Button onClick={() => setDoing("hold")}>Place a hold</Button>
              <Button kind="primary" onClick={() => setDoing("ask")}>
                Erase
              </Button>
            </>
          }
        >
          Whose data is erased, is to be, or is held. One user asks, another one approves.
        </SectionHead>
      )}
      {pane === false ? (
        list
      ) : isWide ? (
        <Splitter
          label="The list and the subject"
          first={list}
          second={pane}
          initial={50}
          min={30}
          max={70}
          keepAs="erasures"
        />
      ) : (
        pane
      )}
      {doing === "ask" && <AskErasure onClose={close} />}
      {doing === "hold" && <PlaceHold onClose={close} />}
    </>
  );
}

function Nothing({ onAsk }: { onAsk: () => void }) {
  return (
    <EmptyState
      icon="trash"
      title="Nobody has asked for an erasure"
      action={<Button onClick={onAsk}>Look what one would take</Button>}
    >
      <p>
        The log keeps everything. What is about a person is sealed under a key of theirs, and an erasure destroys the
        key. Say whom an execution is about in the settings of its workflow, by <code>subject</code>, such as{" "}
        <code>{"{{ $json.customerId }}"}</code>.
      </p>
      <p className="mt-2">
        One user asks, another one approves. While a hold is on a subject, nothing of it is erased.
      </p>
    </EmptyState>
  );
}

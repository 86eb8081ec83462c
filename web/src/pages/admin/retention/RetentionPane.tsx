import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { faultOf, useViewer } from "@/api";
import { useKeys } from "@/app/keys";
import { actorInSentence } from "@/parts/ActorName";
import { Badge, Button, Facts, FaultNote, Icon, IconButton, Skeleton, Time } from "@/ui";
import { counted } from "@/ui/counted";
import { useIsOwn } from "../decisions";
import { Holds } from "../Holds";
import type { Retention } from "./documents";
import { Forecast } from "./Forecast";
import { ApproveRelease, ApproveRetention, AskRelease, PlaceHold, SetRetention, WithdrawRetention } from "./forms";
import { Decisions, type History, useHistory } from "./history";
import { dayWords, doerOf, keptWords, labelOf, statusOf, timeWords } from "./words";

type Doing = { kind: "set" | "approve" | "withdraw" | "hold" } | { kind: "release" | "approveRelease"; hold: string };

/** How long one kind of data is kept: what is decided, what is asked for, what holds it, and what went. */
export function RetentionPane({ retention, onClose }: { retention: Retention; onClose: () => void }) {
  const [doing, setDoing] = useState<Doing>();
  const history = useHistory(retention.category);
  useKeys([{ keys: "Escape", does: "close the retention", run: onClose }], "Retention");
  const { tone, words } = statusOf(retention);
  const { category, days, reason, since, lastDay, appliedAt, events, streams, request, holds } = retention;
  return (
    <section aria-label="Retention" className="flex min-h-0 flex-1 flex-col overflow-auto bg-surface">
      <header className="flex items-start gap-1 border-b px-4 py-3">
        <div className="min-w-0 flex-1">
          <h2 className="truncate text-[15px] font-semibold">{labelOf(category)}</h2>
          <p className="mt-0.5">
            <Badge tone={tone}>{words}</Badge>
          </p>
        </div>
        <IconButton size="small" label="Close the retention" icon={<Icon name="close" />} onClick={onClose} />
      </header>
      <div className="flex flex-col gap-6 p-4">
        <Facts
          facts={[
            ["Kept", keptWords(days)],
            ["Why", reason],
            ["Counts since", since && <Time key="since" value={since} exact />],
            ["Gone up to", lastDay && <time key="day" dateTime={lastDay}>{`${dayWords(lastDay)} (UTC)`}</time>],
            ["Keys destroyed last", appliedAt && <Time key="applied" value={appliedAt} exact />],
            ["Lost their data", appliedAt && `${counted(events, "event")} of ${counted(streams, "stream")}`],
          ]}
        />
        {request ? (
          <Request retention={retention} history={history} onDo={setDoing} />
        ) : (
          <section aria-label="Time" className="flex flex-col items-start gap-3 text-[13px]">
            <h3 className="font-semibold">What goes</h3>
            {days === null ? (
              <p className="text-muted">Nothing goes by itself. Set a number of days, and another user approves it.</p>
            ) : (
              <Forecast retention={retention} days={days} />
            )}
            <Button size="small" onClick={() => setDoing({ kind: "set" })}>
              Keep for another time…
            </Button>
          </section>
        )}
        <Holds
          holds={holds}
          onPlace={() => setDoing({ kind: "hold" })}
          onRelease={(hold) => setDoing({ kind: "release", hold })}
          onApproveRelease={(hold) => setDoing({ kind: "approveRelease", hold })}
        />
        <WhatWasDecided category={category} history={history} />
      </div>
      {doing && <Dialogs retention={retention} doing={doing} onClose={() => setDoing(undefined)} />}
    </section>
  );
}

/** What somebody asks for: who, when and why, what it would take, and who has to say yes. */
function Request({
  retention,
  history,
  onDo,
}: {
  retention: Retention;
  history: History;
  onDo: (doing: Doing) => void;
}) {
  const { can } = useViewer();
  const { request, days } = retention;
  const asked = history.events?.find(({ type }) => type === "RetentionRequested");
  const actor = asked?.actor ?? (request ? doerOf(request.by) : undefined);
  const isOwn = useIsOwn(actor);
  if (!request || !actor) return null;
  return (
    <section aria-label="Request" className="flex flex-col gap-3 text-[13px]">
      <h3 className="font-semibold">Asked for: {timeWords(request.days)}</h3>
      <Facts
        facts={[
          ["By", isOwn ? "you" : actorInSentence(actor)],
          ["When", asked && <Time key="when" value={asked.recordedAt} exact />],
          ["Why", request.reason],
          ["Until then", keptWords(days)],
        ]}
      />
      <Forecast retention={retention} days={request.days} />
      <p className="text-muted">
        {isOwn
          ? "You asked for it: another user has to approve it."
          : can("ERASURE_APPROVE")
            ? "Another user asked for it. When you approve it, what is old enough goes, and nobody can undo that."
            : "Somebody with erasure:approve has to approve it."}
      </p>
      <div className="flex flex-wrap gap-2">
        {!isOwn && can("ERASURE_APPROVE") && (
          <Button kind="danger" size="small" onClick={() => onDo({ kind: "approve" })}>
            Approve…
          </Button>
        )}
        <Button size="small" onClick={() => onDo({ kind: "withdraw" })}>
          Withdraw…
        </Button>
      </div>
    </section>
  );
}

function WhatWasDecided({ category, history }: { category: string; history: History }) {
  const { can } = useViewer();
  const { events, hasMore, error, again } = history;
  if (!can("AUDIT_READ")) return null;
  return (
    <section aria-label="What was decided" className="flex flex-col gap-3 text-[13px]">
      <h3 className="font-semibold">What was decided, and what went</h3>
      {error && !events && <FaultNote fault={faultOf(error)} onRetry={again} />}
      {!error && !events && <Skeleton className="h-12" />}
      {events?.length === 0 && <p className="text-muted">Nothing yet: all of it was kept from the beginning.</p>}
      {events && events.length > 0 && <Decisions events={events} />}
      {hasMore && (
        <p>
          <Link to="/events" search={{ stream: `retention/${category}` }} className="text-accent underline">
            All of it
          </Link>
        </p>
      )}
    </section>
  );
}

function Dialogs({ retention, doing, onClose }: { retention: Retention; doing: Doing; onClose: () => void }) {
  switch (doing.kind) {
    case "set":
      return <SetRetention retention={retention} onClose={onClose} />;
    case "approve":
      return <ApproveRetention retention={retention} onClose={onClose} />;
    case "withdraw":
      return <WithdrawRetention retention={retention} onClose={onClose} />;
    case "hold":
      return <PlaceHold retention={retention} onClose={onClose} />;
    case "release":
      return <AskRelease retention={retention} hold={doing.hold} onClose={onClose} />;
    case "approveRelease":
      return <ApproveRelease retention={retention} hold={doing.hold} onClose={onClose} />;
  }
}

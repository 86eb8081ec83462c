import { useState } from "react";
import { useChange, useViewer } from "@/api";
import { useKeys } from "@/app/keys";
import { actorInSentence } from "@/parts/ActorName";
import { Badge, Button, Facts, Icon, IconButton, Time } from "@/ui";
import { counted } from "@/ui/counted";
import { ApproveDialog, ReasonDialog, useIsOwn } from "../decisions";
import { Holds } from "../Holds";
import {
  AdminApproveErasure,
  AdminApproveRelease,
  AdminRequestRelease,
  AdminWithdrawErasure,
  type Subject,
} from "./documents";
import { AskErasure, LookAgain, PlaceHold } from "./forms";
import { STATUS_WORDS, isErased } from "./words";

type Doing = { kind: "ask" | "withdraw" | "approve" | "hold" } | { kind: "release" | "approveRelease"; hold: string };

/** Everything that is decided about one subject, and what is left to decide. */
export function SubjectPane({ subject, onClose }: { subject: Subject; onClose: () => void }) {
  const [doing, setDoing] = useState<Doing>();
  useKeys([{ keys: "Escape", does: "close the subject", run: onClose }], "Subject");
  const { tone, words } = STATUS_WORDS[subject.status];
  const name = subject.name ?? "A subject without a name";
  return (
    <section aria-label="Subject" className="flex min-h-0 flex-1 flex-col overflow-auto bg-surface">
      <header className="flex items-start gap-1 border-b px-4 py-3">
        <div className="min-w-0 flex-1">
          <h2 className="truncate text-[15px] font-semibold" title={name}>
            {name}
          </h2>
          <p className="mt-0.5">
            <Badge tone={tone}>{words}</Badge>
          </p>
        </div>
        <IconButton size="small" label="Close the subject" icon={<Icon name="close" />} onClick={onClose} />
      </header>
      <div className="flex flex-col gap-6 p-4">
        <Facts
          facts={[
            [
              "Stands in the log as",
              <code key="id" className="text-xs break-all">
                {subject.id}
              </code>,
            ],
            ["Asked for by", subject.request && actorInSentence(subject.request.actor)],
            ["Why", subject.request?.reason],
            ["Approved by", subject.approver && actorInSentence(subject.approver)],
            ["Key destroyed", subject.erasedAt && <Time key="erased" value={subject.erasedAt} exact />],
            ["All gone", subject.completedAt && <Time key="gone" value={subject.completedAt} exact />],
            [
              "Lost their data",
              isErased(subject) && `${counted(subject.events, "event")} of ${counted(subject.streams, "stream")}`,
            ],
          ]}
        />
        {!isErased(subject) && <Erasure subject={subject} onDo={setDoing} />}
        {(subject.holds.length > 0 || !isErased(subject)) && (
          <Holds
            holds={subject.holds}
            onPlace={!isErased(subject) && subject.name !== null ? () => setDoing({ kind: "hold" }) : undefined}
            onRelease={(hold) => setDoing({ kind: "release", hold })}
            onApproveRelease={(hold) => setDoing({ kind: "approveRelease", hold })}
          />
        )}
      </div>
      {doing && <Dialogs subject={subject} doing={doing} onClose={() => setDoing(undefined)} />}
    </section>
  );
}

interface PartProps {
  subject: Subject;
  onDo: (doing: Doing) => void;
}

function Erasure({ subject, onDo }: PartProps) {
  const { can } = useViewer();
  const isOwn = useIsOwn(subject.request?.actor);
  return (
    <section aria-label="Erasure" className="flex flex-col gap-3 text-[13px]">
      <h3 className="font-semibold">Erasure</h3>
      {subject.request ? (
        <>
          <p className="text-muted">
            {isOwn
              ? "You asked for it: another user has to approve it."
              : can("ERASURE_APPROVE")
                ? "Another user asked for it. When you approve it, the key is destroyed at once, and nobody can undo that."
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
        </>
      ) : (
        <div>
          <p className="mb-2 text-muted">Nobody asks for it.</p>
          {subject.name !== null && (
            <Button size="small" onClick={() => onDo({ kind: "ask" })}>
              Erase…
            </Button>
          )}
        </div>
      )}
      {subject.request && subject.name !== null && <LookAgain subject={subject.name} />}
    </section>
  );
}

function Dialogs({ subject, doing, onClose }: { subject: Subject; doing: Doing; onClose: () => void }) {
  const name = subject.name ?? "the subject";
  const [withdraw, isWithdrawing] = useChange(AdminWithdrawErasure, {
    payload: (data) => data.withdrawErasure,
    done: "The request is withdrawn",
    failed: "The request was not withdrawn",
    quiet: true,
  });
  const [approve, isApproving] = useChange(AdminApproveErasure, {
    payload: (data) => data.approveErasure,
    done: "The key is destroyed",
    failed: "Nothing was erased",
    quiet: true,
  });
  const [askRelease, isAsking] = useChange(AdminRequestRelease, {
    payload: (data) => data.requestLegalHoldRelease,
    done: "The release is asked for: another user has to approve it",
    failed: "The release was not asked for",
    quiet: true,
  });
  const [release, isReleasing] = useChange(AdminApproveRelease, {
    payload: (data) => data.approveLegalHoldRelease,
    done: "The hold is released",
    failed: "The hold was not released",
    quiet: true,
  });
  const subjectId = subject.id;
  switch (doing.kind) {
    case "ask":
      return <AskErasure subject={subject.name ?? undefined} onClose={onClose} />;
    case "hold":
      return <PlaceHold subject={subject.name ?? undefined} onClose={onClose} />;
    case "withdraw":
      return (
        <ReasonDialog
          title="Withdraw the request"
          submit="Withdraw it"
          isBusy={isWithdrawing}
          onClose={onClose}
          onSubmit={(reason) => withdraw({ input: { subjectId, reason } })}
        >
          The data of {name} is kept, until somebody asks again.
        </ReasonDialog>
      );
    case "approve":
      return (
        <ApproveDialog
          title={`Erase the data of ${name}`}
          submit="Approve, and erase"
          isDangerous
          isBusy={isApproving}
          onClose={onClose}
          onSubmit={() => approve({ input: { subjectId } })}
        >
          <p>
            The key is destroyed when you approve. What is sealed under it can be read by nobody any more, and what was
            made of it goes. <strong>It cannot be undone.</strong>
          </p>
          {subject.name !== null && <LookAgain subject={subject.name} />}
        </ApproveDialog>
      );
    case "release":
      return (
        <ReasonDialog
          title={`Release the hold ${doing.hold}`}
          submit="Ask for the release"
          isBusy={isAsking}
          onClose={onClose}
          onSubmit={(reason) => askRelease({ input: { subjectId, hold: doing.hold, reason } })}
        >
          The hold stays until another user approves.
        </ReasonDialog>
      );
    case "approveRelease":
      return (
        <ApproveDialog
          title={`Release the hold ${doing.hold}`}
          submit="Approve the release"
          isBusy={isReleasing}
          onClose={onClose}
          onSubmit={() => release({ input: { subjectId, hold: doing.hold } })}
        >
          <p>The data of {name} can be erased afterwards, where no other hold is on it.</p>
        </ApproveDialog>
      );
  }
}

import { Link } from "@tanstack/react-router";
import { type ReactNode, memo } from "react";
import { actorInSentence } from "@/parts/ActorName";
import { Button, Icon, type IconName, Time, classes } from "@/ui";
import type { ExecutionFacts } from "../history/model";

export interface NoticesProps {
  facts: ExecutionFacts;
  onNode: (node: string) => void;
  onFork: () => void;
}

/** What has to be known first: what failed, for what it waits, why it stands still, what it belongs to. */
export const Notices = memo(function Notices({ facts, onNode, onFork }: NoticesProps) {
  const { forkedFrom, waiting, paused, errorNode } = facts;
  const unused = forkedFrom?.unusedOutputs ?? [];
  return (
    <>
      {facts.status === "FAILED" && (
        <Notice tone="bad" icon="warning" role="alert">
          <span className="min-w-0">
            {errorNode !== null && (
              <>
                <button type="button" className="font-semibold underline" onClick={() => onNode(errorNode)}>
                  {errorNode}
                </button>
                {": "}
              </>
            )}
            <span className="break-words">{facts.errorMessage ?? "It failed."}</span>
          </span>
          <span className="ml-auto flex items-center gap-2">
            {facts.dismissed !== null && (
              <span className="text-xs">dismissed{facts.dismissed !== "" && `: ${facts.dismissed}`}</span>
            )}
            {facts.retriedAs && (
              <ExecutionLink id={facts.retriedAs} className="text-xs">
                tried again
              </ExecutionLink>
            )}
            {errorNode !== null && (
              <Button size="small" onClick={() => onNode(errorNode)}>
                Show
              </Button>
            )}
          </span>
        </Notice>
      )}
      {waiting && (
        <Notice tone="warn" icon="clock">
          <span>
            <button type="button" className="font-semibold underline" onClick={() => onNode(waiting.node)}>
              {waiting.node}
            </button>{" "}
            waits
            {waiting.until ? (
              <>
                {" until "}
                <Time value={waiting.until} exact />
              </>
            ) : (
              " until a request or a person ends it"
            )}
          </span>
        </Notice>
      )}
      {paused && (
        <Notice tone="warn" icon="pause">
          <span>
            It stands still
            {paused.kind === "BREAKPOINT" && " at a breakpoint"}
            {paused.kind === "STEP" && " after a step"}
            {paused.kind === "REQUESTED" && " because somebody asked for it"}
            {paused.node !== null && (
              <>
                , before{" "}
                <button type="button" className="font-semibold underline" onClick={() => onNode(paused.node ?? "")}>
                  {paused.node}
                </button>
              </>
            )}
            {paused.reason !== null && paused.reason !== "" && `: ${paused.reason}`}
          </span>
        </Notice>
      )}
      {facts.status === "CANCELLED" && (
        <Notice tone="neutral" icon="stop">
          <span>Cancelled{facts.cancelReason ? `: ${facts.cancelReason}` : ""}</span>
        </Notice>
      )}
      {forkedFrom && (
        <Notice tone="accent" icon="fork">
          <span className="min-w-0">
            A fork of{" "}
            <ExecutionLink id={forkedFrom.executionId} search={{ position: forkedFrom.position }}>
              another execution at #{forkedFrom.position}
            </ExecutionLink>
            {forkedFrom.actor && ` by ${actorInSentence(forkedFrom.actor)}`}
            {forkedFrom.reason !== "" && `: “${forkedFrom.reason}”`}
            {unused.length > 0 &&
              `. It has not come to ${unused.map(({ node }) => node).join(", ")}, whose output was changed.`}
          </span>
          <Link
            to="/compare"
            search={{ left: forkedFrom.executionId, right: facts.id }}
            className="ml-auto shrink-0 font-medium underline"
          >
            Compare with it
          </Link>
        </Notice>
      )}
      {facts.retryOf && (
        <Notice tone="accent" icon="retry">
          <span>
            It tries <ExecutionLink id={facts.retryOf}>another execution</ExecutionLink> again
          </span>
          <Link
            to="/compare"
            search={{ left: facts.retryOf, right: facts.id }}
            className="ml-auto shrink-0 font-medium underline"
          >
            Compare with it
          </Link>
        </Notice>
      )}
      {facts.continuedFrom && (
        <Notice tone="neutral" icon="execution">
          <span>
            It is long, and goes on from <ExecutionLink id={facts.continuedFrom}>the part before</ExecutionLink>
          </span>
        </Notice>
      )}
      {facts.continuedAs && (
        <Notice tone="neutral" icon="execution">
          <span>
            It is long, and goes on in <ExecutionLink id={facts.continuedAs}>the next part</ExecutionLink>
          </span>
        </Notice>
      )}
      {facts.status === "FAILED" && errorNode === null && (
        <Notice tone="neutral" icon="info">
          <span>No node is to blame.</span>
          <Button size="small" className="ml-auto" onClick={onFork}>
            Fork
          </Button>
        </Notice>
      )}
    </>
  );
});

interface ExecutionLinkProps {
  id: string;
  search?: { position: string };
  className?: string;
  children: ReactNode;
}

function ExecutionLink({ id, search, className, children }: ExecutionLinkProps) {
  return (
    <Link
      to="/executions/$executionId"
      params={{ executionId: id }}
      search={search}
      className={classes("underline", className)}
    >
      {children}
    </Link>
  );
}

const TONES = {
  bad: "bg-bad-soft text-bad",
  warn: "bg-warn-soft text-warn",
  accent: "bg-accent-soft text-accent",
  neutral: "bg-sunken text-muted",
};

interface NoticeProps {
  tone: keyof typeof TONES;
  icon: IconName;
  role?: "alert";
  children: ReactNode;
}

function Notice({ tone, icon, role, children }: NoticeProps) {
  return (
    <div
      role={role}
      className={classes("flex items-center gap-2 border-b px-3 py-1.5 text-[13px] md:px-4", TONES[tone])}
    >
      <Icon name={icon} />
      {children}
    </div>
  );
}

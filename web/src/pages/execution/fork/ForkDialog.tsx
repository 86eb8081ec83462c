import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { freshId, graphql, useChange } from "@/api";
import { Badge, Button, Dialog, ErrorState, Field, Icon, Input, Select, Skeleton, Switch, useDialogKeys } from "@/ui";
import type { EffectPolicy, ForkExecutionInput } from "@/gql/schema";
import type { Drawn } from "../definition";
import { eventText, typeName } from "../event-names";
import { useExact } from "../exact";
import { asked } from "../server-source";
import type { History } from "../history/history";
import type { ExecutionFacts } from "../history/model";
import { ChangeEditor } from "./ChangeEditor";
import { type ChangeKind, type Draft, changeOf } from "./changes";

const ExecutionForkPreview = graphql(`
  query ExecutionForkPreview($input: ForkExecutionInput!) {
    forkPreview(input: $input) {
      position
      earlierRuns
      effects {
        node
        type
        happens
        recordedRuns
      }
      errors {
        code
        message
      }
    }
  }
`);

const ExecutionFork = graphql(`
  mutation ExecutionFork($input: ForkExecutionInput!) {
    forkExecution(input: $input) {
      executionId
      position
      errors {
        ...Errors
      }
    }
  }
`);

type VersionChoice = "same" | "draft" | "published";

export interface ForkDialogProps {
  facts: ExecutionFacts;
  history: History;
  revision: number;
  drawn: Drawn | undefined;
  node: string | undefined;
  run: number | undefined;
  onClose: () => void;
}

/** Lets a new execution go on from the event that is looked at, with something changed or nothing. */
export function ForkDialog({ facts, history, revision, drawn, node, run, onClose }: ForkDialogProps) {
  const [drafts, setDrafts] = useState<readonly Draft[]>([]);
  const [effects, setEffects] = useState<EffectPolicy>("STUB");
  const [liveNodes, setLiveNodes] = useState<readonly string[]>([]);
  const [reason, setReason] = useState("");
  const [version, setVersion] = useState<VersionChoice>("same");
  const navigate = useNavigate();
  const made = drafts.map(changeOf);
  const isWrong = made.some((one) => "problem" in one);
  const event = history.event(revision);
  const published = facts.workflow?.publishedVersion;
  const input: ForkExecutionInput = {
    executionId: facts.id,
    at: { revision },
    changes: made.flatMap((one) => ("change" in one ? [one.change] : [])),
    effects,
    liveNodes: effects === "PER_NODE" ? [...liveNodes] : [],
    reason: reason.trim(),
    version:
      version === "draft"
        ? { draft: true }
        : version === "published" && typeof published === "number"
          ? { published }
          : undefined,
  };
  const [fork, isForking] = useChange(ExecutionFork, {
    payload: (data) => data.forkExecution,
    done: "The fork has begun",
    failed: "No fork was begun",
  });
  const go = async () => {
    if (isWrong || isForking) return;
    const outcome = await fork({ input });
    if (outcome.kind !== "done" || !outcome.payload.executionId) return;
    onClose();
    void navigate({ to: "/executions/$executionId", params: { executionId: outcome.payload.executionId } });
  };
  useDialogKeys([{ keys: "Ctrl+Enter", does: "begin the fork", run: () => void go(), inFields: true }]);
  const add = (kind: ChangeKind) =>
    setDrafts([...drafts, { key: freshId(), kind, node: node ?? "", runIndex: run ?? 0, path: "", text: "" }]);
  return (
    <Dialog
      title="Fork from here"
      isOpen
      onClose={onClose}
      size="large"
      footer={
        <>
          <Button onClick={onClose}>Not now</Button>
          <Button kind="primary" isBusy={isForking} disabled={isWrong} onClick={() => void go()}>
            <Icon name="fork" /> Fork
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-5 text-sm">
        <p className="text-muted">
          A new execution goes on right after event {revision.toLocaleString()} ({eventText(event)}). This one stays as
          it is, and the two can be compared.
        </p>
        <section aria-label="Changes" className="flex flex-col gap-3">
          <div className="flex flex-wrap items-center gap-2">
            <h3 className="mr-auto font-medium">What is other</h3>
            <Button size="small" onClick={() => add("output")}>
              <Icon name="plus" /> What a node gives
            </Button>
            <Button size="small" onClick={() => add("parameter")}>
              <Icon name="plus" /> A parameter
            </Button>
            <Button size="small" onClick={() => add("variable")}>
              <Icon name="plus" /> A variable
            </Button>
          </div>
          {drafts.length === 0 && (
            <p className="rounded-md border border-dashed px-3 py-3 text-[13px] text-muted">
              Nothing: the fork comes to what this execution came to.
            </p>
          )}
          {drafts.map((draft, place) => {
            const result = made[place];
            return (
              <ChangeEditor
                key={draft.key}
                draft={draft}
                problem={result && "problem" in result ? result.problem : undefined}
                id={facts.id}
                history={history}
                drawn={drawn}
                onChange={(next) => setDrafts(drafts.map((one) => (one.key === next.key ? next : one)))}
                onRemove={() => setDrafts(drafts.filter((one) => one.key !== draft.key))}
              />
            );
          })}
        </section>
        <div className="grid gap-4 md:grid-cols-2">
          <Field label="Effects" hint="Answered effects come from what this execution recorded.">
            <Select<EffectPolicy>
              value={effects}
              onChange={setEffects}
              choices={[
                { value: "STUB", label: "None happens" },
                { value: "PER_NODE", label: "Some happen, node by node" },
                { value: "LIVE", label: "All happen" },
              ]}
            />
          </Field>
          <Field label="Version">
            <Select<VersionChoice>
              value={version}
              onChange={setVersion}
              choices={[
                { value: "same", label: "What this execution ran" },
                { value: "draft", label: "The draft as it is now" },
                ...(typeof published === "number"
                  ? [{ value: "published" as const, label: `Version ${published}` }]
                  : []),
              ]}
            />
          </Field>
        </div>
        <Effects
          input={isWrong ? undefined : input}
          effects={effects}
          liveNodes={liveNodes}
          onLive={(name, isLive) =>
            setLiveNodes(isLive ? [...liveNodes, name] : liveNodes.filter((one) => one !== name))
          }
        />
        <Field label="Why (if you want to say)" hint="It is kept with the event.">
          <Input maxLength={1000} value={reason} onChange={(change) => setReason(change.target.value)} />
        </Field>
      </div>
    </Dialog>
  );
}

interface EffectsProps {
  input: ForkExecutionInput | undefined;
  effects: EffectPolicy;
  liveNodes: readonly string[];
  onLive: (node: string, isLive: boolean) => void;
}

/** What would really happen. */
function Effects({ input, effects, liveNodes, onLive }: EffectsProps) {
  // Why it is forked makes no difference to what happens, and is still being written.
  const { data, fault, isStale } = useExact(
    input && asked(ExecutionForkPreview, { input: { ...input, reason: "" } }, (data) => data),
  );
  const preview = data?.forkPreview;
  if (fault) return <ErrorState fault={fault} title="What would happen is not known" />;
  if (!input) return <p className="text-[13px] text-muted">What would happen is told once the changes are right.</p>;
  if (!preview) return <Skeleton className="h-16" />;
  const happening = preview.effects.filter((effect) => effect.happens);
  return (
    <section aria-label="Effects" aria-busy={isStale} className={isStale ? "opacity-60" : ""}>
      {preview.errors.map((error) => (
        <p key={error.code + error.message} role="alert" className="mb-2 rounded-md bg-bad-soft px-3 py-2 text-bad">
          {error.message}
        </p>
      ))}
      <h3 className="font-medium">
        {happening.length === 0
          ? "Nothing really happens"
          : `${happening.length === 1 ? "One node" : `${happening.length} nodes`} would really act`}
      </h3>
      <p className="mb-2 text-xs text-muted">{preview.earlierRuns ?? 0} node runs come before and are not repeated.</p>
      {preview.effects.length > 0 && (
        <ul className="divide-y rounded-md border">
          {preview.effects.map((effect) => (
            <li key={effect.node} className="flex flex-wrap items-center gap-2 px-3 py-2">
              <Badge tone={effect.happens ? "bad" : "good"}>{effect.happens ? "will act" : "answered"}</Badge>
              <span className="min-w-0 truncate font-medium">{effect.node}</span>
              <span className="text-xs text-muted">{typeName(effect.type)}</span>
              <span className="ml-auto text-xs text-muted">
                {effect.recordedRuns} recorded {effect.recordedRuns === 1 ? "run" : "runs"}
              </span>
              {effects === "PER_NODE" && (
                <Switch
                  label="May act"
                  checked={liveNodes.includes(effect.node)}
                  onChange={(isLive) => onLive(effect.node, isLive)}
                />
              )}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

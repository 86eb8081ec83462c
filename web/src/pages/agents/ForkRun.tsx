import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { type UserError, useChange } from "@/api";
import type { ForkAgentRunInput } from "@/gql/schema";
import { Button, Dialog, Field, Input, Select, Textarea } from "@/ui";
import type { RunShown } from "./AgentRunPage";
import { Fork } from "./changes";
import type { TimelineStep } from "./timeline";

/** Where a fork begins: at a turn, or behind a call that is to have given something else. */
export type ForkFrom = { turn: number } | { call: string; result: string };

export interface ForkRunProps {
  run: RunShown;
  steps: readonly TimelineStep[];
  from: ForkFrom;
  onClose: () => void;
}

export function ForkRun({ run, steps, from, onClose }: ForkRunProps) {
  const navigate = useNavigate();
  const turns = [...new Set(steps.flatMap((step) => (step.kind === "model" && step.turn > 0 ? [step.turn] : [])))];
  const isOfCall = "call" in from;
  const [turn, setTurn] = useState(isOfCall ? 0 : from.turn);
  const [result, setResult] = useState(isOfCall ? from.result : "");
  const [prompt, setPrompt] = useState(run.prompt);
  const [model, setModel] = useState(run.model);
  const [reason, setReason] = useState("");
  const [errors, setErrors] = useState<readonly UserError[]>([]);
  const [fork, isForking] = useChange(Fork, {
    payload: (data) => data.forkAgentRun,
    failed: "The run was not forked",
    quiet: true,
  });
  const go = async () => {
    setErrors([]);
    const input: ForkAgentRunInput = {
      runId: run.id,
      prompt: prompt === run.prompt ? undefined : prompt,
      model: model.trim() === run.model ? undefined : model.trim(),
      reason,
      turn: isOfCall ? undefined : turn,
      toolResults: isOfCall ? [{ call: from.call, content: result }] : [],
    };
    const outcome = await fork({ input });
    if (outcome.kind === "fault") return;
    if (outcome.kind !== "done") setErrors(outcome.errors);
    else if (outcome.payload.runId) {
      onClose();
      await navigate({ to: "/agent-runs/$runId", params: { runId: outcome.payload.runId } });
    }
  };
  return (
    <Dialog
      title="Fork the run"
      isOpen
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Not now</Button>
          <Button kind="primary" isBusy={isForking} onClick={() => void go()}>
            Fork
          </Button>
        </>
      }
    >
      <div className="flex flex-col gap-3">
        <p className="text-sm text-muted">
          What was said and done before is taken from the records, and asks and calls nothing. From there on the model
          is asked, and tools are really called.
        </p>
        {isOfCall ? (
          <Field label={`What the call ${from.call} is to have given`} hint="The fork begins with the turn after it.">
            <Textarea
              rows={6}
              className="font-mono text-[12.5px]"
              value={result}
              onChange={(event) => setResult(event.target.value)}
            />
          </Field>
        ) : (
          <Field label="Turn that it begins with">
            <Select
              value={String(turn)}
              choices={(turns.length > 0 ? turns : [1]).map((one) => ({ value: String(one), label: `turn ${one}` }))}
              onChange={(next) => setTurn(Number(next))}
            />
          </Field>
        )}
        <Field label="Prompt">
          <Textarea rows={5} value={prompt} onChange={(event) => setPrompt(event.target.value)} />
        </Field>
        <Field label="Route" hint="By which the model is asked.">
          <Input value={model} onChange={(event) => setModel(event.target.value)} />
        </Field>
        <Field label="Why (if you want to say)" hint="It is kept with the event.">
          <Input value={reason} maxLength={1000} onChange={(event) => setReason(event.target.value)} />
        </Field>
        {errors.map((error) => (
          <p key={error.message} role="alert" className="text-sm text-bad">
            {error.message}
          </p>
        ))}
      </div>
    </Dialog>
  );
}

import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { type UserError, useChange } from "@/api";
import { Button, Dialog, Field, Input, Textarea } from "@/ui";
import { SchemaForm } from "@/ui/SchemaForm";
import { asSchema, beginning, problemsOf, shapeOf } from "@/ui/schema-form";
import { StartRun as StartRunDocument } from "./changes";

export interface StartRunProps {
  agent: string;
  /** The schema of what it is given, if it has one. */
  schema: unknown;
  hasMemory: boolean;
  isOpen: boolean;
  onClose: () => void;
}

export function StartRun(props: StartRunProps) {
  return props.isOpen ? <OpenStartRun {...props} /> : null;
}

function OpenStartRun({ agent, schema, hasMemory, onClose }: StartRunProps) {
  const navigate = useNavigate();
  const form = asSchema(schema);
  const isText = schema === undefined || schema === null || shapeOf(form) === "text";
  const [input, setInput] = useState<unknown>(() => (isText ? "" : beginning(form)));
  const [session, setSession] = useState("");
  const [isTried, setTried] = useState(false);
  const [errors, setErrors] = useState<readonly UserError[]>([]);
  const [start, isStarting] = useChange(StartRunDocument, {
    payload: (data) => data.startAgentRun,
    failed: "The run did not begin",
    quiet: true,
  });
  const problems = problemsOf(isText ? { type: "string", minLength: 1, ...form } : form, input);
  const go = async () => {
    setTried(true);
    if (problems.size > 0) return;
    const given = session.trim() === "" ? undefined : session.trim();
    const outcome = await start({ input: { agent, input, session: given } });
    if (outcome.kind === "fault") return;
    if (outcome.kind !== "done") setErrors(outcome.errors);
    else if (outcome.payload.runId)
      await navigate({ to: "/agent-runs/$runId", params: { runId: outcome.payload.runId } });
  };
  const shown = isTried ? problems : new Map<string, string>();
  return (
    <Dialog
      title={`Run ${agent}`}
      isOpen
      onClose={onClose}
      size="small"
      footer={
        <>
          <Button onClick={onClose}>Not now</Button>
          <Button kind="primary" isBusy={isStarting} onClick={() => void go()}>
            Run
          </Button>
        </>
      }
    >
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          void go();
        }}
      >
        {isText ? (
          <Field
            label="What it is given"
            hint={typeof form.description === "string" ? form.description : undefined}
            error={shown.get("")}
          >
            <Textarea
              rows={4}
              value={typeof input === "string" ? input : ""}
              onChange={(event) => setInput(event.target.value)}
              onKeyDown={(event) => {
                if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void go();
              }}
            />
          </Field>
        ) : (
          <SchemaForm schema={form} label="What it is given" value={input} onChange={setInput} problems={shown} />
        )}
        {hasMemory && (
          <Field label="Session (may be left out)" hint="Runs of the same session remember each other.">
            <Input value={session} onChange={(event) => setSession(event.target.value)} />
          </Field>
        )}
        {errors.map((error) => (
          <p key={error.message} role="alert" className="text-sm text-bad">
            {error.message}
          </p>
        ))}
      </form>
    </Dialog>
  );
}

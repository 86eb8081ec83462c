import { useNavigate } from "@tanstack/react-router";
import { type SyntheticEvent, useState } from "react";
import { useQuery } from "urql";
import { faultOf, graphql, sayFault, toast } from "@/api";
import { importWorkflow, moveWorkflow } from "@/parts/workflow-changes";
import { Button, Dialog, ErrorState, Field, Input, Skeleton } from "@/ui";
import { emptyWorkflow } from "./empty";

const Templates = graphql(`
  query WorkflowTemplates {
    templates(kind: WORKFLOW) {
      name
      title
      description
      needs
      source
    }
  }
`);

export interface NewDialogProps {
  isOpen: boolean;
  onClose: () => void;
  folder: string | undefined;
}

/** Makes a workflow: an empty one under a name, or an example to try. */
export function NewDialog(props: NewDialogProps) {
  return props.isOpen ? <OpenNewDialog {...props} /> : null;
}

function OpenNewDialog({ onClose, folder }: NewDialogProps) {
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const [busy, setBusy] = useState<string | undefined>();
  const [problem, setProblem] = useState<string | undefined>();
  const make = async (which: string, definition: unknown) => {
    setBusy(which);
    setProblem(undefined);
    const outcome = await importWorkflow({ definition });
    if (outcome.kind === "done" && outcome.payload.workflowId !== null) {
      const { workflowId } = outcome.payload;
      const moved = folder === undefined ? undefined : await moveWorkflow(workflowId, folder);
      if (moved === undefined || moved.kind === "done") toast({ tone: "good", title: "The workflow is made" });
      await navigate({ to: "/workflows/$workflowId", params: { workflowId } });
      return;
    }
    setBusy(undefined);
    if (outcome.kind === "fault") sayFault("The workflow was not made", outcome.fault);
    else if (outcome.kind !== "done") setProblem(outcome.errors.map((error) => error.message).join(" · "));
  };
  const submit = (event?: SyntheticEvent) => {
    event?.preventDefault();
    if (name.trim() !== "") void make("empty", emptyWorkflow(name.trim()));
  };
  return (
    <Dialog
      title="New workflow"
      isOpen
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Not now</Button>
          <Button kind="primary" disabled={name.trim() === ""} isBusy={busy === "empty"} onClick={() => submit()}>
            Make it
          </Button>
        </>
      }
    >
      <form onSubmit={submit}>
        <Field
          label="Name"
          error={problem}
          hint={
            folder === undefined
              ? "It begins with a start by hand; add nodes in the editor."
              : `It goes into ${folder}.`
          }
        >
          <Input value={name} maxLength={200} data-autofocus onChange={(event) => setName(event.target.value)} />
        </Field>
      </form>
      <h3 className="mt-5 mb-2 text-xs font-medium text-muted">Or try an example</h3>
      <Examples busy={busy} onTake={(name, source) => void make(name, source)} />
    </Dialog>
  );
}

interface ExamplesProps {
  busy: string | undefined;
  onTake: (name: string, source: unknown) => void;
}

/** Workflows to begin with, as the server brings them along. */
function Examples({ busy, onTake }: ExamplesProps) {
  const [{ data, error }, again] = useQuery({ query: Templates });
  if (error && !data) return <ErrorState fault={faultOf(error)} onRetry={() => again()} />;
  if (!data) return <Skeleton className="h-32" />;
  return (
    <ul className="grid gap-2 sm:grid-cols-3">
      {data.templates.map(({ name, title, description, needs, source }) => (
        <li key={name} className="flex flex-col rounded-lg border p-3">
          <h4 className="text-sm font-medium">{title}</h4>
          <p className="mt-1 mb-3 flex-1 text-[13px] text-muted">
            {description}
            {needs.length > 0 && ` It needs ${needs.join("; ")}.`}
          </p>
          <Button
            size="small"
            isBusy={busy === name}
            aria-label={`Take the example ${title}`}
            onClick={() => onTake(name, source)}
          >
            Take it
          </Button>
        </li>
      ))}
    </ul>
  );
}

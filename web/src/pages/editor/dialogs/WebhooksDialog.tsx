import { useState } from "react";
import { useChange, useLive, useViewer } from "@/api";
import { Badge, Button, CopyButton, Dialog, EmptyState } from "@/ui";
import type { EditorWorkflowQuery } from "@/gql/graphql";
import { EditorListen, EditorStarted } from "../documents";
import { Refusal } from "@/parts/Refusal";
import type { UserError } from "@/api/errors";

type Webhook = NonNullable<EditorWorkflowQuery["workflow"]>["webhooks"][number];

export interface WebhooksDialogProps {
  workflowId: string | undefined;
  webhooks: readonly Webhook[];
  isOpen: boolean;
  onClose: () => void;
  save: () => Promise<boolean>;
  /** A test call came: this run answers it. */
  onCalled: (executionId: string) => void;
}

export function WebhooksDialog(props: WebhooksDialogProps) {
  return props.isOpen && props.workflowId !== undefined ? (
    <OpenWebhooksDialog {...props} workflowId={props.workflowId} />
  ) : null;
}

/** Where the workflow is called from outside, and how to try a call on the draft. */
function OpenWebhooksDialog({
  workflowId,
  webhooks,
  onClose,
  save,
  onCalled,
}: WebhooksDialogProps & { workflowId: string }) {
  const { can } = useViewer();
  const [isListening, setListening] = useState(false);
  const [errors, setErrors] = useState<readonly UserError[]>([]);
  const [listen, isAsking] = useChange(EditorListen, {
    payload: (data) => data.listenForTestWebhook,
    failed: "The draft does not listen",
    quiet: true,
  });
  useLive(
    EditorStarted,
    {},
    ({ executionsChanged: { execution } }) => {
      if (execution?.workflowId !== workflowId) return;
      setListening(false);
      onCalled(execution.id);
    },
    { position: (data) => data.executionsChanged.position, fromNow: true, enabled: isListening },
  );
  const begin = async () => {
    setErrors([]);
    if (!(await save())) return;
    const outcome = await listen({ input: { workflowId } });
    if (outcome.kind === "done") setListening(true);
    else if (outcome.kind !== "fault") setErrors(outcome.errors);
  };
  const footer = (
    <>
      <Button onClick={onClose}>Close</Button>
      {webhooks.length > 0 && can("WORKFLOW_WRITE") && (
        <Button kind="primary" isBusy={isAsking} disabled={isListening} onClick={() => void begin()}>
          {isListening ? "It listens" : "Listen for a test call"}
        </Button>
      )}
    </>
  );
  return (
    <Dialog title="Webhooks and forms" isOpen onClose={onClose} footer={footer}>
      {webhooks.length === 0 ? (
        <EmptyState icon="external" title="Nothing calls this workflow">
          Add a Webhook, a Form Trigger or a Chat Trigger, and save: its address is here then.
        </EmptyState>
      ) : (
        <div className="flex flex-col gap-4 text-sm">
          <p className="text-muted">
            The draft takes one call at its test address, within two minutes after it began to listen. The other address
            is that of the active version.
          </p>
          {isListening && (
            <p role="status" className="rounded-md bg-info-soft px-3 py-2 text-info">
              The draft listens. Call a test address now: the run opens here as soon as it begins.
            </p>
          )}
          {errors.length > 0 && <Refusal errors={errors} />}
          <ul className="flex flex-col gap-3">
            {webhooks.map((webhook) => (
              <li key={`${webhook.node} ${webhook.url}`} className="flex flex-col gap-1 rounded-md border p-3">
                <div className="flex flex-wrap items-center gap-2">
                  <strong className="font-medium">{webhook.node}</strong>
                  {webhook.methods.map((method) => (
                    <Badge key={method}>{method}</Badge>
                  ))}
                  {webhook.active ? <Badge tone="good">active</Badge> : <Badge>inactive</Badge>}
                </div>
                <Address label="Test" node={webhook.node} url={webhook.testUrl} />
                <Address label="Active" node={webhook.node} url={webhook.url} />
              </li>
            ))}
          </ul>
        </div>
      )}
    </Dialog>
  );
}

function Address({ label, node, url }: { label: string; node: string; url: string }) {
  return (
    <div className="flex items-center gap-2">
      <span className="w-12 shrink-0 text-xs text-muted">{label}</span>
      <code className="min-w-0 flex-1 rounded bg-sunken px-2 py-1 text-xs break-all">{url}</code>
      <CopyButton text={url} label={`Copy the ${label.toLowerCase()} address of ${node}`} />
    </div>
  );
}

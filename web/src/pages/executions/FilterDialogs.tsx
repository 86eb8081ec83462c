import { useState } from "react";
import { Button, Dialog, Field, Input } from "@/ui";
import type { ExecutionsSearch } from "./search";

interface MoreProps {
  isOpen: boolean;
  onClose: () => void;
  onChange: (change: Partial<ExecutionsSearch>) => void;
}

/** Asks for a fact that executions saved. */
export function FactDialog(props: MoreProps) {
  return props.isOpen ? <OpenFactDialog {...props} /> : null;
}

function OpenFactDialog({ onClose, onChange }: MoreProps) {
  const [fact, setFact] = useState("");
  const [value, setValue] = useState("");
  const isWhole = fact.trim() !== "" && value.trim() !== "";
  const take = () => {
    if (!isWhole) return;
    onChange({ fact: fact.trim(), value: value.trim() });
    onClose();
  };
  return (
    <Dialog
      title="Executions with a saved fact"
      isOpen
      onClose={onClose}
      size="small"
      footer={
        <Button kind="primary" disabled={!isWhole} onClick={take}>
          Show them
        </Button>
      }
    >
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          take();
        }}
      >
        <p className="text-sm text-muted">
          Nodes can save facts about their execution, such as the number of an order, by which it is found here.
        </p>
        <Field label="Name">
          <Input value={fact} placeholder="order" onChange={(event) => setFact(event.target.value)} data-autofocus />
        </Field>
        <Field label="Says">
          <Input value={value} onChange={(event) => setValue(event.target.value)} />
        </Field>
        <button type="submit" hidden aria-hidden />
      </form>
    </Dialog>
  );
}

/** Asks when executions began. */
export function BeganDialog(props: MoreProps) {
  return props.isOpen ? <OpenBeganDialog {...props} /> : null;
}

function OpenBeganDialog({ onClose, onChange }: MoreProps) {
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const [since, until] = [instantOf(from), instantOf(to)];
  const isBackwards = since !== undefined && until !== undefined && since >= until;
  const isWhole = (since !== undefined || until !== undefined) && !isBackwards;
  const take = () => {
    if (!isWhole) return;
    onChange({ from: since, to: until });
    onClose();
  };
  return (
    <Dialog
      title="Executions that began in a time"
      isOpen
      onClose={onClose}
      size="small"
      footer={
        <Button kind="primary" disabled={!isWhole} onClick={take}>
          Show them
        </Button>
      }
    >
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          take();
        }}
      >
        <Field label="From" hint="In your time zone. Either end may be left open.">
          <Input
            type="datetime-local"
            step={1}
            value={from}
            onChange={(event) => setFrom(event.target.value)}
            data-autofocus
          />
        </Field>
        <Field label="Before" error={isBackwards ? "The end is not after the beginning." : undefined}>
          <Input type="datetime-local" step={1} value={to} onChange={(event) => setTo(event.target.value)} />
        </Field>
        <button type="submit" hidden aria-hidden />
      </form>
    </Dialog>
  );
}

/** What a field for dates says, as an instant. */
function instantOf(local: string): string | undefined {
  const at = new Date(local);
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString();
}

/** Asks for the moment as of which executions are shown. */
export function TimeDialog(props: MoreProps) {
  return props.isOpen ? <OpenTimeDialog {...props} /> : null;
}

function OpenTimeDialog({ onClose, onChange }: MoreProps) {
  const [local, setLocal] = useState("");
  const at = new Date(local);
  const isTime = !Number.isNaN(at.getTime());
  return (
    <Dialog
      title="Executions as of a time"
      isOpen
      onClose={onClose}
      size="small"
      footer={
        <Button
          kind="primary"
          disabled={!isTime}
          onClick={() => {
            onChange({ at: at.toISOString() });
            onClose();
          }}
        >
          Show them
        </Button>
      }
    >
      <div className="flex flex-col gap-3">
        <p className="text-sm text-muted">
          The list is shown as it was then: what had begun, and how far each was at that moment.
        </p>
        <Field label="Time" hint="In your time zone.">
          <Input
            type="datetime-local"
            step={1}
            value={local}
            onChange={(event) => setLocal(event.target.value)}
            data-autofocus
          />
        </Field>
      </div>
    </Dialog>
  );
}

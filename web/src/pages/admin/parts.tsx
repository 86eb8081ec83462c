import { type ReactNode } from "react";
import { type Outcome, type Payload, useViewer } from "@/api";
import type { Permission } from "@/gql/schema";
import { Button, CodeBlock, Dialog, Field, Icon, Input, Textarea } from "@/ui";
import { permissionName } from "./sections";

/** What a form shows of a change that was not made; nothing when it was, or when a toast says it already. */
export function problemOf(outcome: Outcome<Payload>): string | undefined {
  if (outcome.kind === "done" || outcome.kind === "fault") return undefined;
  const said = outcome.errors.map((error) => error.message).join(" · ");
  return outcome.kind === "conflict" ? `${said} Reload the page, and look at what became of it.` : said;
}

export interface FormDialogProps {
  title: string;
  onClose: () => void;
  /** What the button says. */
  submit: string;
  isBusy: boolean;
  isIncomplete?: boolean;
  isDangerous?: boolean;
  problem?: string;
  onSubmit: () => void;
  children: ReactNode;
}

export function FormDialog(props: FormDialogProps) {
  const { title, onClose, submit, isBusy, isIncomplete, isDangerous, problem, onSubmit, children } = props;
  const can = !isBusy && isIncomplete !== true;
  const footer = (
    <>
      <Button onClick={onClose}>Not now</Button>
      <Button
        kind={isDangerous === true ? "danger" : "primary"}
        isBusy={isBusy}
        disabled={isIncomplete}
        onClick={onSubmit}
      >
        {submit}
      </Button>
    </>
  );
  return (
    <Dialog title={title} size="small" isOpen onClose={onClose} footer={footer}>
      <form
        className="flex flex-col gap-3 text-sm"
        onSubmit={(event) => {
          event.preventDefault();
          if (can) onSubmit();
        }}
      >
        {children}
        {problem !== undefined && (
          <p role="alert" className="flex items-start gap-2 rounded-md bg-bad-soft px-3 py-2 text-bad">
            <Icon name="warning" />
            <span className="min-w-0 break-words">{problem}</span>
          </p>
        )}
        <button type="submit" hidden />
      </form>
    </Dialog>
  );
}

export function TextField({
  label,
  value,
  onChange,
  hint,
  ...rest
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  hint?: ReactNode;
} & Omit<React.InputHTMLAttributes<HTMLInputElement>, "value" | "onChange">) {
  return (
    <Field label={label} hint={hint}>
      <Input autoComplete="off" {...rest} value={value} onChange={(event) => onChange(event.target.value)} />
    </Field>
  );
}

export function ReasonField({
  value,
  onChange,
  isOptional,
}: {
  value: string;
  onChange: (value: string) => void;
  isOptional?: boolean;
}) {
  return (
    <Field
      label={isOptional === true ? "Why (if you want to say)" : "Why"}
      hint="It is kept with the event, for those who review who has access."
    >
      <Textarea rows={2} maxLength={1000} value={value} onChange={(event) => onChange(event.target.value)} />
    </Field>
  );
}

/** A secret that is told here and nowhere else. */
export function OnceShown({
  title,
  secret,
  children,
  onClose,
}: {
  title: string;
  secret: string;
  children: ReactNode;
  onClose: () => void;
}) {
  return (
    <Dialog
      title={title}
      isOpen
      onClose={onClose}
      footer={
        <Button kind="primary" onClick={onClose}>
          I have it
        </Button>
      }
    >
      <div className="flex flex-col gap-3 text-sm">
        <CodeBlock label={title} code={secret} />
        <div className="text-muted">{children}</div>
      </div>
    </Dialog>
  );
}

/** What is only for those who may; others are told what it takes. */
export function Needs({ permission, children }: { permission: Permission; children: ReactNode }) {
  const { can } = useViewer();
  if (can(permission)) return <>{children}</>;
  return <span className="text-xs text-muted">Changing this needs {permissionName(permission)}.</span>;
}

/** The head of a section: what it is, and what can be done. */
export function SectionHead({
  title,
  children,
  actions,
}: {
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b bg-surface px-4 py-3 md:px-6">
      <div className="min-w-0 flex-1 basis-64">
        <h2 className="text-[15px] font-semibold">{title}</h2>
        {children !== undefined && <p className="text-[13px] text-muted">{children}</p>}
      </div>
      {actions !== undefined && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
    </div>
  );
}

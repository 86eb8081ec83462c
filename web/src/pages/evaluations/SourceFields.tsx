import { type ChangeEvent, useRef, useState } from "react";
import { useQuery } from "urql";
import { Button, Combobox, Field, Input, Select, Textarea } from "@/ui";
import { counted } from "@/ui/counted";
import { ModelChoices, WorkflowChoices, WorkflowName } from "./documents";
import { SOURCES, type SourceDraft, type SourceProblems, casesInLines } from "./source";

/** Files above this have more than a version takes. */
const FILE_BYTES_MAX = 8 * 1024 * 1024;

export interface SourceFieldsProps {
  draft: SourceDraft;
  onChange: (part: Partial<SourceDraft>) => void;
  problems: SourceProblems;
}

/** Where cases come from: written, in a file, or what was recorded. */
export function SourceFields(props: SourceFieldsProps) {
  const { draft, onChange } = props;
  return (
    <fieldset className="flex flex-col gap-3">
      <legend className="sr-only">Where the cases are from</legend>
      <Field label="Cases">
        <Select data-autofocus value={draft.kind} choices={SOURCES} onChange={(kind) => onChange({ kind })} />
      </Field>
      {draft.kind === "case" && <CaseFields {...props} />}
      {draft.kind === "lines" && <LinesField {...props} />}
      {draft.kind === "executions" && <ExecutionsFields {...props} />}
      {draft.kind === "inferences" && <InferencesFields {...props} />}
    </fieldset>
  );
}

function CaseFields({ draft, onChange, problems }: SourceFieldsProps) {
  const code = { spellCheck: false, className: "font-mono text-[12.5px]" };
  return (
    <>
      <Field label="Input" hint="What is given, as JSON." error={problems.input}>
        <Textarea
          {...code}
          rows={3}
          placeholder='{"text": "My parcel is late."}'
          value={draft.input}
          onChange={(event) => onChange({ input: event.target.value })}
        />
      </Field>
      <Field label="Expected (may be left out)" hint="What is to come out, as JSON." error={problems.expected}>
        <Textarea
          {...code}
          rows={2}
          placeholder='{"label": "delivery"}'
          value={draft.expected}
          onChange={(event) => onChange({ expected: event.target.value })}
        />
      </Field>
      <Field label="Id of the case (may be left out)" hint="Without one it gets its place in the set.">
        <Input value={draft.id} maxLength={100} onChange={(event) => onChange({ id: event.target.value })} />
      </Field>
    </>
  );
}

function LinesField({ draft, onChange, problems }: SourceFieldsProps) {
  const picker = useRef<HTMLInputElement>(null);
  const [fileProblem, setFileProblem] = useState<string>();
  const pick = async (event: ChangeEvent<HTMLInputElement>) => {
    const [file] = event.target.files ?? [];
    event.target.value = "";
    if (!file) return;
    if (file.size > FILE_BYTES_MAX) {
      setFileProblem(
        "The file has more than 8 MiB, and the cases of a version at most 2 MiB: make several sets of it.",
      );
      return;
    }
    setFileProblem(undefined);
    onChange({ lines: (await file.text()).replace(/^\uFEFF/, "") });
  };
  const looked = draft.lines.trim() === "" ? undefined : casesInLines(draft.lines);
  return (
    <>
      <Field
        label="JSON Lines"
        hint={'One object a line: {"input": …, "expected": …}. It may have an id.'}
        error={fileProblem ?? problems.lines}
      >
        <Textarea
          spellCheck={false}
          className="font-mono text-[12.5px] whitespace-pre"
          rows={6}
          value={draft.lines}
          onChange={(event) => onChange({ lines: event.target.value })}
        />
      </Field>
      <div className="flex items-center gap-3">
        <Button size="small" onClick={() => picker.current?.click()}>
          Take a file
        </Button>
        <input
          ref={picker}
          type="file"
          hidden
          accept=".jsonl,.ndjson,.json"
          aria-label="File of cases"
          onChange={(event) => void pick(event)}
        />
        <span role="status" className="text-[13px] text-muted">
          {looked && "count" in looked && counted(looked.count, "case")}
        </span>
      </div>
    </>
  );
}

function ExecutionsFields({ draft, onChange, problems }: SourceFieldsProps) {
  return (
    <>
      <WorkflowField
        value={draft.workflowId}
        onChange={(workflowId) => onChange({ workflowId })}
        error={problems.workflowId}
      />
      <LastField draft={draft} onChange={onChange} problems={problems} />
      <p className="text-xs text-muted">
        The items with which an execution began are the input, what its last node gave is what is expected. Those that
        are about a subject, or were erased, are left out.
      </p>
    </>
  );
}

function InferencesFields({ draft, onChange, problems }: SourceFieldsProps) {
  const [{ data }] = useQuery({ query: ModelChoices });
  const models = data?.models.nodes ?? [];
  const versions = models.find((model) => model.name === draft.model)?.versions ?? [];
  return (
    <>
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label="Model" error={problems.model}>
          <Combobox
            value={draft.model}
            choices={models.map(({ name }) => ({ value: name, label: name }))}
            onChange={(model) => onChange({ model, ofVersion: "" })}
            isFree
          />
        </Field>
        <Field label="Answered by">
          <Select
            value={draft.ofVersion}
            choices={[
              { value: "", label: "any version" },
              ...versions.map(({ version }) => ({ value: String(version), label: `version ${version}` })),
            ]}
            onChange={(ofVersion) => onChange({ ofVersion })}
          />
        </Field>
      </div>
      <LastField draft={draft} onChange={onChange} problems={problems} />
      <p className="text-xs text-muted">
        What the model was given is the input, what it answered is what is expected. Inferences that are about a
        subject, or whose inputs and outputs were not kept, are left out.
      </p>
    </>
  );
}

function LastField({ draft, onChange, problems }: SourceFieldsProps) {
  return (
    <Field label="How many of the newest" error={problems.last} className="w-48">
      <Input inputMode="numeric" value={draft.last} onChange={(event) => onChange({ last: event.target.value })} />
    </Field>
  );
}

export interface WorkflowFieldProps {
  value: string;
  onChange: (id: string) => void;
  error?: string;
  label?: string;
}

/** A workflow, found by its name. */
export function WorkflowField({ value, onChange, error, label = "Workflow" }: WorkflowFieldProps) {
  const [name, setName] = useState("");
  const [{ data }] = useQuery({ query: WorkflowChoices, variables: { name: name === "" ? undefined : name } });
  const found = data?.workflows.nodes ?? [];
  // The one that is chosen may be none of those that are found by what is written.
  const [{ data: known }] = useQuery({
    query: WorkflowName,
    variables: { id: value },
    pause: value === "",
    requestPolicy: "cache-first",
  });
  const chosen = known?.workflow;
  const others = chosen && !found.some((one) => one.id === chosen.id) ? [chosen] : [];
  return (
    <Field label={label} error={error}>
      <Combobox
        value={value}
        choices={[...others, ...found].map((one) => ({ value: one.id, label: one.name }))}
        placeholder="Find by name"
        onSearch={(text) => setName(text.slice(0, 200))}
        onChange={onChange}
      />
    </Field>
  );
}

import { Button, Field, Icon, IconButton, Input, Select, Textarea } from "@/ui";
import { KINDS, SCORERS_MAX, type ScorerDraft, type ScorerProblems, freshScorer } from "./scorers";
import { WorkflowField } from "./SourceFields";
import { WorkflowVersion } from "./SubjectFields";

export interface ScorersFieldsProps {
  drafts: readonly ScorerDraft[];
  onChange: (drafts: readonly ScorerDraft[]) => void;
  /** By the keys of the scorers. */
  problems: ReadonlyMap<number, ScorerProblems>;
}

/** How outputs are judged: one to eight scorers. */
export function ScorersFields({ drafts, onChange, problems }: ScorersFieldsProps) {
  const change = (key: number, part: Partial<ScorerDraft>) =>
    onChange(drafts.map((draft) => (draft.key === key ? { ...draft, ...part } : draft)));
  const add = () => onChange([...drafts, freshScorer(Math.max(0, ...drafts.map((draft) => draft.key)) + 1)]);
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 text-[13px] font-medium">Scorers</legend>
      {drafts.map((draft, place) => (
        <fieldset key={draft.key} className="flex flex-col gap-2 rounded-md border p-3">
          <legend className="sr-only">Scorer {place + 1}</legend>
          <div className="flex items-end gap-2">
            <Field label={`Scorer ${place + 1} judges by`} className="min-w-0 flex-1">
              <Select value={draft.kind} choices={KINDS} onChange={(kind) => change(draft.key, { kind })} />
            </Field>
            <IconButton
              label={`Leave out scorer ${place + 1}`}
              icon={<Icon name="close" />}
              disabled={drafts.length === 1}
              onClick={() => onChange(drafts.filter((one) => one !== draft))}
            />
          </div>
          <OneScorer
            draft={draft}
            onChange={(part) => change(draft.key, part)}
            problems={problems.get(draft.key) ?? {}}
          />
        </fieldset>
      ))}
      <div>
        <Button size="small" disabled={drafts.length >= SCORERS_MAX} onClick={add}>
          <Icon name="plus" /> One more scorer
        </Button>
      </div>
    </fieldset>
  );
}

interface OneScorerProps {
  draft: ScorerDraft;
  onChange: (part: Partial<ScorerDraft>) => void;
  problems: ScorerProblems;
}

function OneScorer({ draft, onChange, problems }: OneScorerProps) {
  const code = "font-mono text-[12.5px]";
  return (
    <>
      {draft.kind === "MATCHES" && (
        <Field label="Regular expression" error={problems.pattern}>
          <Input
            className={code}
            spellCheck={false}
            value={draft.pattern}
            onChange={(event) => onChange({ pattern: event.target.value })}
          />
        </Field>
      )}
      {draft.kind === "NEAR" && (
        <Field
          label="Tolerance"
          hint="How far numbers may be apart, relative to the larger one or 1."
          error={problems.tolerance}
        >
          <Input
            inputMode="decimal"
            value={draft.tolerance}
            onChange={(event) => onChange({ tolerance: event.target.value })}
          />
        </Field>
      )}
      {draft.kind === "SCHEMA" && (
        <Field label="JSON Schema" hint="Of draft 2020-12." error={problems.schema}>
          <Textarea
            className={code}
            spellCheck={false}
            rows={4}
            value={draft.schema}
            onChange={(event) => onChange({ schema: event.target.value })}
          />
        </Field>
      )}
      {draft.kind === "WORKFLOW" && (
        <div className="grid gap-2 sm:grid-cols-[minmax(0,1fr)_9rem]">
          <WorkflowField
            label="Workflow that judges"
            value={draft.workflowId}
            error={problems.workflowId}
            onChange={(workflowId) => onChange({ workflowId, version: "" })}
          />
          <WorkflowVersion
            workflowId={draft.workflowId}
            version={draft.version}
            problem={problems.version}
            onChange={(version) => onChange({ version })}
          />
        </div>
      )}
      <div className="grid gap-2 sm:grid-cols-3">
        <Field label="Looks at" error={problems.at}>
          <Input
            className={code}
            spellCheck={false}
            placeholder="all of the output"
            title="A JSON pointer into the output, such as /label"
            value={draft.at}
            onChange={(event) => onChange({ at: event.target.value })}
          />
        </Field>
        <Field label="Expected at" error={problems.expectedAt}>
          <Input
            className={code}
            spellCheck={false}
            placeholder="all that is expected"
            title="A JSON pointer into the expected value, such as /label"
            value={draft.expectedAt}
            onChange={(event) => onChange({ expectedAt: event.target.value })}
          />
        </Field>
        <Field label="Name (may be left out)">
          <Input
            spellCheck={false}
            maxLength={100}
            value={draft.name}
            onChange={(event) => onChange({ name: event.target.value })}
          />
        </Field>
      </div>
    </>
  );
}

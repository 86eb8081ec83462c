import { useQuery } from "urql";
import { Combobox, Field, Select } from "@/ui";
import { AgentChoices, ModelChoices, WorkflowVersionChoices } from "./documents";
import { WorkflowField } from "./SourceFields";
import { KINDS_OF_SUBJECT, type SubjectDraft, type SubjectProblems } from "./subject";

export interface SubjectFieldsProps {
  draft: SubjectDraft;
  onChange: (part: Partial<SubjectDraft>) => void;
  problems: SubjectProblems;
}

/** What is tried: one of a model, a workflow and an agent, and its version. */
export function SubjectFields(props: SubjectFieldsProps) {
  const { draft, onChange } = props;
  return (
    <fieldset>
      <legend className="sr-only">What is tried</legend>
      <div className="grid gap-3 sm:grid-cols-[8rem_minmax(0,1fr)_9rem]">
        <Field label="Try a">
          <Select
            data-autofocus
            value={draft.kind}
            choices={KINDS_OF_SUBJECT}
            onChange={(kind) => onChange({ kind, version: "" })}
          />
        </Field>
        {draft.kind === "model" && <ModelFields {...props} />}
        {draft.kind === "workflow" && <WorkflowFields {...props} />}
        {draft.kind === "agent" && <AgentFields {...props} />}
      </div>
    </fieldset>
  );
}

function ModelFields({ draft, onChange, problems }: SubjectFieldsProps) {
  const [{ data }] = useQuery({ query: ModelChoices });
  const models = data?.models.nodes ?? [];
  const usable = models
    .find((one) => one.name === draft.model)
    ?.versions.filter((one) => one.withdrawnReason == null)
    .map((one) => one.version);
  return (
    <>
      <Field label="Model" error={problems.model}>
        <Combobox
          value={draft.model}
          choices={models.map(({ name }) => ({ value: name, label: name }))}
          onChange={(model) => onChange({ model, version: "" })}
        />
      </Field>
      <TriedVersion
        versions={usable}
        version={draft.version}
        onChange={(version) => onChange({ version })}
        problem={problems.version}
      />
    </>
  );
}

function AgentFields({ draft, onChange, problems }: SubjectFieldsProps) {
  const [{ data }] = useQuery({ query: AgentChoices });
  const agents = (data?.agents.nodes ?? []).filter((one) => one.state !== "RETIRED");
  const versions = agents.find((one) => one.name === draft.agent)?.versions.map((one) => one.version);
  return (
    <>
      <Field label="Agent" error={problems.agent}>
        <Combobox
          value={draft.agent}
          choices={agents.map(({ name }) => ({ value: name, label: name }))}
          onChange={(agent) => onChange({ agent, version: "" })}
        />
      </Field>
      <TriedVersion
        versions={versions}
        version={draft.version}
        onChange={(version) => onChange({ version })}
        problem={problems.version}
      />
    </>
  );
}

function WorkflowFields({ draft, onChange, problems }: SubjectFieldsProps) {
  return (
    <>
      <WorkflowField
        value={draft.workflowId}
        error={problems.workflowId}
        onChange={(workflowId) => onChange({ workflowId, version: "" })}
      />
      <WorkflowVersion
        workflowId={draft.workflowId}
        version={draft.version}
        onChange={(version) => onChange({ version })}
        problem={problems.version}
      />
    </>
  );
}

interface WorkflowVersionProps {
  workflowId: string;
  version: string;
  onChange: (version: string) => void;
  problem: string | undefined;
}

/** A published version of a workflow. */
export function WorkflowVersion({ workflowId, version, onChange, problem }: WorkflowVersionProps) {
  const [{ data }] = useQuery({
    query: WorkflowVersionChoices,
    variables: { id: workflowId },
    pause: workflowId === "",
  });
  const found = data?.workflow;
  const versions =
    workflowId !== "" && found?.id === workflowId ? found.versions.nodes.map((one) => one.version) : undefined;
  return <TriedVersion versions={versions} version={version} onChange={onChange} problem={problem} />;
}

interface TriedVersionProps {
  /** Those that there are; absent while it is not known of what. */
  versions: readonly number[] | undefined;
  version: string;
  onChange: (version: string) => void;
  problem: string | undefined;
}

function TriedVersion({ versions, version, onChange, problem }: TriedVersionProps) {
  const sorted = versions?.toSorted((one, other) => other - one) ?? [];
  const isNone = versions?.length === 0;
  return (
    <Field label="Version" error={isNone ? "It has no version to try." : problem}>
      <Select
        value={version}
        choices={[
          { value: "", label: "choose one" },
          ...sorted.map((one) => ({ value: String(one), label: `version ${one}` })),
        ]}
        onChange={onChange}
      />
    </Field>
  );
}

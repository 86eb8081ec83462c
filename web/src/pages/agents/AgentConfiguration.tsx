import { useState } from "react";
import { type UserError, useChange } from "@/api";
import { Button, EmptyState, Field, Time } from "@/ui";
import { Panel } from "@/ui/Panel";
import { LongText } from "@/ui/Messages";
import { JsonPart, SchemaForm } from "@/ui/SchemaForm";
import { asSchema, problemsOf, shapeOf } from "@/ui/schema-form";
import type { AgentShown } from "./AgentPage";
import { Configure } from "./changes";
import { recordOf } from "./record";

/** The configuration with which runs begin, as a form of its schema. */
export function AgentConfiguration({ agent, mayWrite }: { agent: AgentShown; mayWrite: boolean }) {
  const record = recordOf(agent.newestVersion?.record);
  if (!agent.newestVersion) {
    return (
      <EmptyState icon="agent" title="There is nothing to configure yet">
        Publish a first version, on the tab “Versions”.
      </EmptyState>
    );
  }
  return (
    <div className="grid gap-4 p-4 md:p-6 lg:grid-cols-2">
      {/* What is being written is dropped when somebody else changed it meanwhile: the form begins with what is there now. */}
      <Form key={agent.history.updatedPosition} agent={agent} schema={record.config_schema} mayWrite={mayWrite} />
      <Panel title="Prompt" hint="{{config.name}} stands for a value of the configuration.">
        <LongText text={record.prompt ?? ""} />
      </Panel>
    </div>
  );
}

function Form({ agent, schema, mayWrite }: { agent: AgentShown; schema: unknown; mayWrite: boolean }) {
  const form = asSchema(schema);
  const isForm = shapeOf(form) === "object";
  const [config, setConfig] = useState<unknown>(agent.config);
  const [errors, setErrors] = useState<readonly UserError[]>([]);
  const [save, isSaving] = useChange(Configure, {
    payload: (data) => data.configureAgent,
    done: "Runs begin with this from now on",
    failed: "The configuration was not changed",
    quiet: true,
  });
  const problems = problemsOf(form, config);
  const isChanged = JSON.stringify(config) !== JSON.stringify(agent.config);
  const go = async () => {
    const input = { name: agent.name, config, expectedRevision: agent.history.revision };
    const outcome = await save({ input });
    if (outcome.kind === "refused" || outcome.kind === "conflict" || outcome.kind === "busy") setErrors(outcome.errors);
  };
  return (
    <Panel
      title="Configuration"
      hint={
        <>
          Runs to come begin with it. Changed <Time value={agent.history.updatedAt} />.
        </>
      }
    >
      <div className="flex flex-col gap-3">
        {isForm ? (
          <SchemaForm schema={form} label="Configuration" value={config} onChange={setConfig} problems={problems} />
        ) : (
          <Field label="Configuration as JSON" hint="This agent has no schema that a form could be made of.">
            <JsonPart value={config} onChange={setConfig} rows={10} />
          </Field>
        )}
        {errors.map((error) => (
          <p key={error.message} role="alert" className="text-sm text-bad">
            {error.message}
          </p>
        ))}
        {mayWrite && (
          <div className="flex gap-2">
            <Button
              kind="primary"
              isBusy={isSaving}
              disabled={!isChanged || problems.size > 0}
              onClick={() => void go()}
            >
              Save
            </Button>
          </div>
        )}
      </div>
    </Panel>
  );
}

import { useState } from "react";
import { useChange } from "@/api";
import { Button, Field, Icon, IconButton, Input, Select } from "@/ui";
import { Panel } from "@/ui/Panel";
import { AddAlias, RemoveAlias } from "./documents";
import type { ModelShown } from "./ModelPage";

/** Names for versions that stay while what they name changes. */
export function Aliases({ model, mayWrite }: { model: ModelShown; mayWrite: boolean }) {
  const usable = model.versions.filter((version) => version.withdrawnReason == null);
  const [alias, setAlias] = useState("");
  const [version, setVersion] = useState(String(usable.at(-1)?.version ?? ""));
  const [set, isSetting] = useChange(AddAlias, {
    payload: (data) => data.setModelAlias,
    failed: "The alias was not set",
  });
  const [remove] = useChange(RemoveAlias, {
    payload: (data) => data.removeModelAlias,
    failed: "The alias was not removed",
  });
  const add = async () => {
    const outcome = await set({ input: { name: model.name, alias: alias.trim(), version: Number(version) } });
    if (outcome.kind === "done") setAlias("");
  };
  const choices = usable.map((one) => ({ value: String(one.version), label: `version ${one.version}` }));
  return (
    <Panel title="Aliases" hint={`Requests for ${model.name}@ALIAS get what it names.`}>
      <ul aria-label="Aliases" className="flex flex-col gap-1.5">
        {model.aliases.map((one) => (
          <li key={one.alias} className="flex items-center gap-2 text-[13px]">
            <code className="min-w-0 flex-1 truncate">@{one.alias}</code>
            {mayWrite ? (
              <Field label={`Version of ${one.alias}`} hideLabel className="w-32">
                <Select
                  value={String(one.version)}
                  choices={
                    choices.some((choice) => choice.value === String(one.version))
                      ? choices
                      : [...choices, { value: String(one.version), label: `version ${one.version}` }]
                  }
                  onChange={(next) =>
                    void set({ input: { name: model.name, alias: one.alias, version: Number(next) } })
                  }
                />
              </Field>
            ) : (
              `version ${one.version}`
            )}
            {mayWrite && (
              <IconButton
                size="small"
                label={`Remove ${one.alias}`}
                icon={<Icon name="trash" />}
                onClick={() => void remove({ input: { name: model.name, alias: one.alias } })}
              />
            )}
          </li>
        ))}
        {model.aliases.length === 0 && (
          <li className="text-[13px] text-muted">
            None yet. An alias such as “prod” lets callers stay as they are when another version takes over.
          </li>
        )}
      </ul>
      {mayWrite && (
        <form
          className="mt-3 flex items-end gap-2 border-t pt-3"
          onSubmit={(event) => {
            event.preventDefault();
            void add();
          }}
        >
          <Field label="Alias" className="min-w-0 flex-1">
            <Input value={alias} placeholder="prod" onChange={(event) => setAlias(event.target.value)} />
          </Field>
          <Field label="Names" className="w-32">
            <Select value={version} choices={choices} onChange={setVersion} />
          </Field>
          <Button type="submit" isBusy={isSetting} disabled={alias.trim() === "" || version === ""}>
            Set
          </Button>
        </form>
      )}
    </Panel>
  );
}

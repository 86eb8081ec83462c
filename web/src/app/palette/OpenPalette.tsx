import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { useSyncExternalStore } from "react";
import { Kbd, StatusBadge } from "../../ui";
import { actionRegistry } from "../actions";
import { useFound } from "./found";
import { PLACES } from "../places";
import { HINT, INPUT } from "../palette-input";
import { chooseTheme } from "../theme";

const ITEM = "flex cursor-pointer items-center gap-3 rounded-md px-3 py-2 text-sm data-[selected=true]:bg-hover";
const GROUP =
  "[&_[cmdk-group-heading]]:px-3 [&_[cmdk-group-heading]]:py-1.5 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-muted";

export interface OpenPaletteProps {
  /** What is looked for. */
  text: string;
  onText: (text: string) => void;
  onClose: () => void;
}

/** Finds pages, workflows, agents, models, evaluation sets, data tables, executions and whatever the present page can do. */
export function OpenPalette({ text, onText, onClose }: OpenPaletteProps) {
  const navigate = useNavigate();
  const actions = useSyncExternalStore(actionRegistry.subscribe, actionRegistry.all);
  const found = useFound(text.trim());
  const go = (run: () => unknown) => () => {
    onClose();
    run();
  };
  return (
    <Command label="Find or do something" loop>
      <Command.Input autoFocus value={text} onValueChange={onText} placeholder={HINT} className={INPUT} />
      <Command.List className="max-h-[55vh] overflow-auto p-1.5" label="What was found">
        <Command.Empty className="px-3 py-6 text-center text-sm text-muted">
          Nothing is called so. A text of two characters or more is also looked for in what happened in executions.
        </Command.Empty>
        {actions.length > 0 && (
          <Command.Group heading="On this page" className={GROUP}>
            {actions.map((action) => (
              <Command.Item
                key={action.id}
                value={`${action.label} ${action.keywords ?? ""} ${action.id}`}
                onSelect={go(action.run)}
                className={ITEM}
              >
                {action.label}
              </Command.Item>
            ))}
          </Command.Group>
        )}
        <Command.Group heading="Pages" className={GROUP}>
          {PLACES.map((place) => (
            <Command.Item
              key={place.to}
              value={`page ${place.label}`}
              onSelect={go(() => navigate({ to: place.to }))}
              className={ITEM}
            >
              <span className="flex-1">{place.label}</span>
              <Kbd keys={place.keys} />
            </Command.Item>
          ))}
          <Command.Item
            value="page Open a capsule file"
            onSelect={go(() => navigate({ to: "/capsule" }))}
            className={ITEM}
          >
            Open a capsule
          </Command.Item>
        </Command.Group>
        <Command.Group heading="Workflows" className={GROUP}>
          {found.workflows.map(({ id, name }) => (
            <Command.Item
              key={id}
              value={`workflow ${name} ${id}`}
              onSelect={go(() => navigate({ to: "/workflows/$workflowId", params: { workflowId: id } }))}
              className={ITEM}
            >
              {name}
            </Command.Item>
          ))}
        </Command.Group>
        {found.agents.length > 0 && (
          <Command.Group heading="Agents" className={GROUP}>
            {found.agents.map(({ name, description }) => (
              <Command.Item
                key={name}
                value={`agent ${name} ${description}`}
                onSelect={go(() => navigate({ to: "/agents/$agentName", params: { agentName: name } }))}
                className={ITEM}
              >
                <span>{name}</span>
                <span className="min-w-0 flex-1 truncate text-xs text-muted">{description}</span>
              </Command.Item>
            ))}
          </Command.Group>
        )}
        {found.models.length > 0 && (
          <Command.Group heading="Models" className={GROUP}>
            {found.models.map(({ name, description }) => (
              <Command.Item
                key={name}
                value={`model ${name} ${description}`}
                onSelect={go(() => navigate({ to: "/models/$modelName", params: { modelName: name } }))}
                className={ITEM}
              >
                <span>{name}</span>
                <span className="min-w-0 flex-1 truncate text-xs text-muted">{description}</span>
              </Command.Item>
            ))}
          </Command.Group>
        )}
        {found.evaluationSets.length > 0 && (
          <Command.Group heading="Evaluation sets" className={GROUP}>
            {found.evaluationSets.map(({ name, description }) => (
              <Command.Item
                key={name}
                value={`evaluation set ${name} ${description}`}
                onSelect={go(() => navigate({ to: "/evaluation-sets/$setName", params: { setName: name } }))}
                className={ITEM}
              >
                <span>{name}</span>
                <span className="min-w-0 flex-1 truncate text-xs text-muted">{description}</span>
              </Command.Item>
            ))}
          </Command.Group>
        )}
        {found.dataTables.length > 0 && (
          <Command.Group heading="Data tables" className={GROUP}>
            {found.dataTables.map(({ id, name }) => (
              <Command.Item
                key={id}
                value={`data table ${name} ${id}`}
                onSelect={go(() => navigate({ to: "/data-tables/$tableId", params: { tableId: id } }))}
                className={ITEM}
              >
                {name}
              </Command.Item>
            ))}
          </Command.Group>
        )}
        <Command.Group heading="Executions" className={GROUP} forceMount>
          {found.executions.map(({ id, label, status }) => (
            <Command.Item
              key={id}
              value={`execution ${label} ${id} ${text}`}
              onSelect={go(() => navigate({ to: "/executions/$executionId", params: { executionId: id } }))}
              className={ITEM}
            >
              <span className="min-w-0 flex-1 truncate">{label}</span>
              {status !== undefined && <StatusBadge status={status} />}
              <span className="font-mono text-xs text-muted">{id.slice(-8)}</span>
            </Command.Item>
          ))}
        </Command.Group>
        <Command.Group heading="Look" className={GROUP}>
          {(["light", "dark", "system"] as const).map((choice) => (
            <Command.Item
              key={choice}
              value={`theme ${choice}`}
              onSelect={go(() => chooseTheme(choice))}
              className={ITEM}
            >
              Theme: {choice === "system" ? "as the machine" : choice}
            </Command.Item>
          ))}
        </Command.Group>
      </Command.List>
    </Command>
  );
}

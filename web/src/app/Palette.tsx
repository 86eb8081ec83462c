import { useNavigate } from "@tanstack/react-router";
import { Command } from "cmdk";
import { useEffect, useState, useSyncExternalStore } from "react";
import { client, graphql } from "../api";
import { Dialog, Kbd, StatusBadge } from "../ui";
import { actionRegistry } from "./actions";
import { PLACES } from "./places";
import { chooseTheme } from "./theme";

const WorkflowsForPalette = graphql(`
  query WorkflowsForPalette {
    workflows(first: 100) {
      nodes {
        id
        name
      }
    }
  }
`);

const ExecutionsForPalette = graphql(`
  query ExecutionsForPalette {
    executions(first: 20) {
      nodes {
        id
        status
        startedAt
        workflow {
          name
        }
      }
    }
  }
`);

const ExecutionForPalette = graphql(`
  query ExecutionForPalette($id: UUID!) {
    execution(id: $id) {
      id
      status
      startedAt
      workflow {
        name
      }
    }
  }
`);

const ExecutionsWithText = graphql(`
  query ExecutionsWithText($text: String!) {
    searchPayloads(query: $text, filter: { categories: ["execution"] }, first: 10) {
      nodes {
        excerpt
        position
        event {
          streamId
        }
      }
    }
  }
`);

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const ITEM = "flex cursor-pointer items-center gap-3 rounded-md px-3 py-2 text-sm data-[selected=true]:bg-hover";
const GROUP =
  "[&_[cmdk-group-heading]]:px-3 [&_[cmdk-group-heading]]:py-1.5 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-muted";
/** How long somebody has to stop writing before the server is asked. */
const PAUSE_MS = 250;

interface Found {
  workflows: readonly { id: string; name: string }[];
  executions: readonly { id: string; label: string; status?: string }[];
}

/** Finds pages, workflows, executions and whatever the present page can do. */
export function Palette({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  return (
    <Dialog title="Find or do something" hideTitle isOpen={isOpen} onClose={onClose}>
      <OpenPalette onClose={onClose} />
    </Dialog>
  );
}

function OpenPalette({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const [text, setText] = useState("");
  const actions = useSyncExternalStore(actionRegistry.subscribe, actionRegistry.all);
  const found = useFound(text.trim());
  const go = (run: () => unknown) => () => {
    onClose();
    run();
  };
  return (
    <Command label="Find or do something" loop>
      <Command.Input
        autoFocus
        value={text}
        onValueChange={setText}
        placeholder="A page, a workflow, an execution's id, a text in a run, or an action"
        className="h-12 w-full border-b bg-transparent px-4 text-[15px] outline-none placeholder:text-muted"
      />
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

function useFound(text: string): Found {
  const [base, setBase] = useState<Found>({ workflows: [], executions: [] });
  const [byText, setByText] = useState<{ text: string; executions: Found["executions"] }>({ text: "", executions: [] });
  useEffect(() => {
    let isGone = false;
    void Promise.all([
      client.query(WorkflowsForPalette, {}).toPromise(),
      client.query(ExecutionsForPalette, {}, { requestPolicy: "network-only" }).toPromise(),
    ]).then(([workflows, executions]) => {
      if (isGone) return;
      setBase({
        workflows: workflows.data?.workflows.nodes ?? [],
        executions: (executions.data?.executions.nodes ?? []).map((one) => ({
          id: one.id,
          status: one.status,
          label: one.workflow?.name ?? "Execution",
        })),
      });
    });
    return () => {
      isGone = true;
    };
  }, []);
  useEffect(() => {
    if (text.length < 2) return undefined;
    let isGone = false;
    const timer = setTimeout(() => {
      void executionsBy(text).then((executions) => {
        if (!isGone) setByText({ text, executions });
      });
    }, PAUSE_MS);
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [text]);
  const known = new Set(base.executions.map((one) => one.id));
  const more = byText.text === text ? byText.executions.filter((one) => !known.has(one.id)) : [];
  return { workflows: base.workflows, executions: [...base.executions, ...more] };
}

/** The execution with that id, or those in whose events a text is. */
async function executionsBy(text: string): Promise<Found["executions"]> {
  if (UUID.test(text)) {
    const { data } = await client.query(ExecutionForPalette, { id: text }).toPromise();
    const one = data?.execution;
    return one ? [{ id: one.id, status: one.status, label: one.workflow?.name ?? "Execution" }] : [];
  }
  const { data } = await client.query(ExecutionsWithText, { text }).toPromise();
  const found = new Map<string, string>();
  for (const hit of data?.searchPayloads.nodes ?? [])
    if (!found.has(hit.event.streamId)) found.set(hit.event.streamId, hit.excerpt);
  return [...found].map(([id, label]) => ({ id, label }));
}

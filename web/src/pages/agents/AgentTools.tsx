import { Badge, type Column, EmptyState, JsonView, Table, duration, money } from "@/ui";
import { Facts } from "@/ui/Facts";
import { Panel } from "@/ui/Panel";
import type { AgentShown } from "./AgentPage";
import { useCurrency } from "./documents";
import { type AgentTool, limitsOf, reachOf, recordOf } from "./record";

const APPROVAL: Record<string, { words: string; tone: "neutral" | "warn" }> = {
  never: { words: "never", tone: "neutral" },
  first: { words: "before the first", tone: "warn" },
  always: { words: "always", tone: "warn" },
};

const COLUMNS: Column<AgentTool>[] = [
  {
    key: "name",
    header: "Tool",
    cell: (tool) => (
      <div className="min-w-40">
        <div className="font-medium">{tool.name}</div>
        <div className="text-xs text-muted">{tool.description}</div>
      </div>
    ),
  },
  {
    key: "does",
    header: "May do",
    cell: (tool) => <code className="block min-w-52 text-[12.5px] break-all">{reachOf(tool)}</code>,
  },
  {
    key: "approval",
    header: "Asks somebody",
    cell: (tool) => {
      const { words, tone } = APPROVAL[tool.approval ?? "never"] ?? { words: tool.approval, tone: "neutral" as const };
      return <Badge tone={tone}>{words}</Badge>;
    },
  },
  { key: "max", header: "Calls at most", align: "end", wideOnly: true, cell: (tool) => tool.calls_max ?? "–" },
  {
    key: "time",
    header: "Longest",
    align: "end",
    wideOnly: true,
    cell: (tool) => duration(tool.time_ms_max ?? 60_000),
  },
  {
    key: "again",
    header: "After a crash",
    wideOnly: true,
    cell: (tool) => (tool.repeatable === false ? "somebody is asked" : "called again, same key"),
  },
];

/** What the newest version was granted, and how far it may go. */
export function AgentTools({ agent }: { agent: AgentShown }) {
  const record = recordOf(agent.newestVersion?.record);
  const currency = useCurrency();
  if (!agent.newestVersion) {
    return (
      <EmptyState icon="agent" title="Nothing was granted yet">
        Publish a first version, on the tab “Versions”.
      </EmptyState>
    );
  }
  return (
    <div className="grid gap-4 p-4 md:p-6 lg:grid-cols-3">
      <Panel title="Tools" hint="It can call no others, whatever its model says." isFlush className="lg:col-span-3">
        <Table
          label="Tools"
          rows={record.tools ?? []}
          columns={COLUMNS}
          keyOf={(tool) => tool.name}
          empty={<p className="p-4 text-sm text-muted">It was granted no tools: it can only answer.</p>}
        />
      </Panel>
      <Panel title="Limits of a run">
        <Facts
          facts={limitsOf(record, duration, (amount) => (currency === "" ? amount : money(amount, currency))).map(
            ({ words, value, isUsual }) => [
              words,
              <span key={words} className={isUsual ? "text-muted" : "tabular-nums"}>
                {value}
                {isUsual && " (as usual)"}
              </span>,
            ],
          )}
        />
      </Panel>
      <Panel title="Model">
        <Facts
          facts={[
            ["Route", agent.newestVersion.model],
            ["Kind", agent.newestVersion.kind],
            ["Can do", agent.newestVersion.capabilities.join(", ") || "–"],
            ...Object.entries(record.sampling ?? {}).map(
              ([name, value]) => [name.replaceAll("_", " "), String(value)] as const,
            ),
          ]}
        />
      </Panel>
      <Panel title="Schemas" isFlush>
        <JsonView
          label="Schemas"
          hideTools
          depth={1}
          className="max-h-64"
          value={{ input: record.input_schema, output: record.output_schema, configuration: record.config_schema }}
        />
      </Panel>
    </div>
  );
}

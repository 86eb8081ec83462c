import { useEffect, useState } from "react";
import { client, graphql } from "../../api";

const WorkflowsForPalette = graphql(`
  query WorkflowsForPalette($name: String) {
    workflows(first: 50, archived: false, name: $name) {
      nodes {
        id
        name
      }
    }
  }
`);

const AgentsForPalette = graphql(`
  query AgentsForPalette {
    agents(first: 100) {
      nodes {
        name
        description
      }
    }
  }
`);

const ModelsForPalette = graphql(`
  query ModelsForPalette {
    models(first: 100) {
      nodes {
        name
        description
      }
    }
  }
`);

const EvaluationSetsForPalette = graphql(`
  query EvaluationSetsForPalette {
    evaluationSets(first: 100) {
      nodes {
        name
        description
      }
    }
  }
`);

const DataTablesForPalette = graphql(`
  query DataTablesForPalette {
    dataTables {
      id
      name
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
/** How long somebody has to stop writing before the server is asked. */
const PAUSE_MS = 250;
const TEXT_LENGTH_MAX = 200;

/** What the palette leads to beside pages and actions. */
export interface Found {
  workflows: readonly { id: string; name: string }[];
  agents: readonly { name: string; description: string }[];
  models: readonly { name: string; description: string }[];
  evaluationSets: readonly { name: string; description: string }[];
  dataTables: readonly { id: string; name: string }[];
  executions: readonly { id: string; label: string; status?: string }[];
}

interface ByText extends Pick<Found, "workflows" | "executions"> {
  text: string;
}

const NOTHING: Found = {
  workflows: [],
  agents: [],
  models: [],
  evaluationSets: [],
  dataTables: [],
  executions: [],
};

/** What there is of the newest, and what the server finds by a text. Who may not see a kind finds none of it. */
export function useFound(text: string): Found {
  const [base, setBase] = useState(NOTHING);
  const [byText, setByText] = useState<ByText>({ text: "", workflows: [], executions: [] });
  useEffect(() => {
    let isGone = false;
    void newest().then((found) => {
      if (!isGone) setBase(found);
    });
    return () => {
      isGone = true;
    };
  }, []);
  useEffect(() => {
    if (text.length < 2 || text.length > TEXT_LENGTH_MAX) return undefined;
    let isGone = false;
    const timer = setTimeout(() => {
      void Promise.all([workflowsBy(text), executionsBy(text)]).then(([workflows, executions]) => {
        if (!isGone) setByText({ text, workflows, executions });
      });
    }, PAUSE_MS);
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [text]);
  if (byText.text !== text) return base;
  return {
    ...base,
    workflows: joined(base.workflows, byText.workflows),
    executions: joined(base.executions, byText.executions),
  };
}

function joined<T extends { id: string }>(first: readonly T[], more: readonly T[]): readonly T[] {
  const known = new Set(first.map((one) => one.id));
  return [...first, ...more.filter((one) => !known.has(one.id))];
}

async function newest(): Promise<Found> {
  const [workflows, agents, models, evaluationSets, dataTables, executions] = await Promise.all([
    client.query(WorkflowsForPalette, {}).toPromise(),
    client.query(AgentsForPalette, {}).toPromise(),
    client.query(ModelsForPalette, {}).toPromise(),
    client.query(EvaluationSetsForPalette, {}, { requestPolicy: "network-only" }).toPromise(),
    client.query(DataTablesForPalette, {}, { requestPolicy: "network-only" }).toPromise(),
    client.query(ExecutionsForPalette, {}, { requestPolicy: "network-only" }).toPromise(),
  ]);
  return {
    workflows: workflows.data?.workflows.nodes ?? [],
    agents: agents.data?.agents.nodes ?? [],
    models: models.data?.models.nodes ?? [],
    evaluationSets: evaluationSets.data?.evaluationSets.nodes ?? [],
    dataTables: dataTables.data?.dataTables ?? [],
    executions: (executions.data?.executions.nodes ?? []).map((one) => ({
      id: one.id,
      status: one.status,
      label: one.workflow?.name ?? "Execution",
    })),
  };
}

async function workflowsBy(name: string): Promise<Found["workflows"]> {
  const { data } = await client.query(WorkflowsForPalette, { name }).toPromise();
  return data?.workflows.nodes ?? [];
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

/** A workflow that a newcomer can make with one press and run at once: it asks nobody for anything. */
export interface Example {
  name: string;
  what: string;
  definition: () => unknown;
}

interface NodeOfFile {
  name: string;
  type: string;
  typeVersion: number;
  parameters: Record<string, unknown>;
}

/** A file of nodes one behind the other. */
function chain(name: string, nodes: readonly NodeOfFile[], more: Record<string, unknown> = {}): unknown {
  const connections = nodes.slice(0, -1).map((node, place) => {
    const next = nodes[place + 1]?.name ?? "";
    return [node.name, { main: [[{ node: next, type: "main", index: 0 }]] }] as const;
  });
  return {
    name,
    nodes: nodes.map((node, place) => ({ ...node, id: `node-${place + 1}`, position: [place * 220, 0] })),
    connections: Object.fromEntries(connections),
    settings: {},
    ...more,
  };
}

const BY_HAND: NodeOfFile = {
  name: "Start by hand",
  type: "n8n-nodes-base.manualTrigger",
  typeVersion: 1,
  parameters: {},
};

const ORDERS = [
  { customer: "Ada", total: 120, paid: true },
  { customer: "Ben", total: 35, paid: false },
  { customer: "Cleo", total: 80, paid: false },
  { customer: "Dan", total: 410, paid: true },
];

export const EXAMPLES: readonly Example[] = [
  {
    name: "Sum up open orders",
    what: "Four made-up orders, a filter for those that are not paid, and their sum. Run it by hand and look at each step.",
    definition: () =>
      chain(
        "Sum up open orders",
        [
          BY_HAND,
          {
            name: "Not paid",
            type: "n8n-nodes-base.filter",
            typeVersion: 2,
            parameters: {
              conditions: {
                options: { caseSensitive: true, leftValue: "", typeValidation: "strict" },
                combinator: "and",
                conditions: [
                  {
                    id: "not-paid",
                    leftValue: "={{ $json.paid }}",
                    rightValue: "",
                    operator: { type: "boolean", operation: "false", singleValue: true },
                  },
                ],
              },
              options: {},
            },
          },
          {
            name: "Sum",
            type: "n8n-nodes-base.code",
            typeVersion: 2,
            parameters: {
              jsCode:
                "const total = $input.all().reduce((sum, item) => sum + item.json.total, 0);\nreturn [{ json: { open: $input.all().length, total } }];",
            },
          },
        ],
        { pinData: { "Start by hand": ORDERS.map((json) => ({ json })) } },
      ),
  },
  {
    name: "Answer a webhook",
    what: "Takes a request at an address of its own and greets whoever is named in it. Publish and activate it, then call it.",
    definition: () =>
      chain("Answer a webhook", [
        {
          name: "Webhook",
          type: "n8n-nodes-base.webhook",
          typeVersion: 2,
          parameters: { path: "greet", httpMethod: "GET", responseMode: "lastNode", options: {} },
        },
        {
          name: "Greet",
          type: "n8n-nodes-base.set",
          typeVersion: 3.4,
          parameters: {
            assignments: {
              assignments: [
                {
                  id: "greeting",
                  name: "greeting",
                  type: "string",
                  value: "=Hello {{ $json.query.name || 'stranger' }}",
                },
              ],
            },
            options: {},
          },
        },
      ]),
  },
  {
    name: "Wait, then go on",
    what: "Waits a minute in the middle. Stop the server meanwhile and start it again: the execution goes on where it was.",
    definition: () =>
      chain("Wait, then go on", [
        BY_HAND,
        {
          name: "A minute",
          type: "n8n-nodes-base.wait",
          typeVersion: 1.1,
          parameters: { resume: "timeInterval", amount: 1, unit: "minutes" },
        },
        {
          name: "Done",
          type: "n8n-nodes-base.set",
          typeVersion: 3.4,
          parameters: {
            assignments: {
              assignments: [{ id: "done", name: "done", type: "string", value: "={{ $now.toISO() }}" }],
            },
            options: {},
          },
        },
      ]),
  },
];

/** A workflow with nothing in it but a beginning. */
export function emptyWorkflow(name: string): unknown {
  return chain(name, [BY_HAND]);
}

/** A workflow file that makes one item and ends. */
export function smallWorkflow(name: string): unknown {
  return {
    name,
    nodes: [
      {
        id: "11111111-1111-4111-8111-111111111111",
        name: "Start",
        type: "n8n-nodes-base.manualTrigger",
        typeVersion: 1,
        position: [0, 0],
        parameters: {},
      },
      {
        id: "22222222-2222-4222-8222-222222222222",
        name: "Make",
        type: "n8n-nodes-base.set",
        typeVersion: 3.4,
        position: [220, 0],
        parameters: { assignments: { assignments: [{ id: "a", name: "greeting", type: "string", value: "hello" }] } },
      },
    ],
    connections: { Start: { main: [[{ node: "Make", type: "main", index: 0 }]] } },
    settings: {},
  };
}

/** A workflow with nothing in it but a beginning. */
export function emptyWorkflow(name: string): unknown {
  return {
    name,
    nodes: [
      {
        id: "node-1",
        name: "Start by hand",
        type: "n8n-nodes-base.manualTrigger",
        typeVersion: 1,
        position: [0, 0],
        parameters: {},
      },
    ],
    connections: {},
    settings: {},
  };
}

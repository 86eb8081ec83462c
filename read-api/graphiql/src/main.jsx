// The GraphiQL page: talks to the server that it came from, queries over HTTP and subscriptions over WebSocket.
import "graphiql/graphiql.css";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createRoot } from "react-dom/client";

const endpoint = new URL("/graphql", window.location.href);
const socket = new URL("/graphql/ws", endpoint);
socket.protocol = endpoint.protocol === "https:" ? "wss:" : "ws:";

const fetcher = createGraphiQLFetcher({ url: endpoint.href, subscriptionUrl: socket.href });

const firstQuery = `# Timeloom: every read takes asOf, every write answers its position.
query Overview {
  head { position recordedAt }
  workflows(first: 10) { edges { node { id name } } }
  executions(first: 10) { edges { node { id status } } }
}
`;

createRoot(document.getElementById("graphiql")).render(
  <GraphiQL fetcher={fetcher} defaultQuery={firstQuery} defaultEditorToolsVisibility={true} />,
);

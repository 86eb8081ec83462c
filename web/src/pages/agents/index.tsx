export { AgentsPage } from "./AgentsPage";
export { AgentPage } from "./AgentPage";
export { AgentRunPage } from "./AgentRunPage";

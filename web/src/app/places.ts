import type { IconName } from "../ui/Icon";

/** Where the navigation leads. `keys` are pressed one after the other. */
export const PLACES = [
  { to: "/", label: "Home", icon: "home", keys: "g h" },
  { to: "/workflows", label: "Workflows", icon: "workflow", keys: "g w" },
  { to: "/executions", label: "Executions", icon: "execution", keys: "g e" },
  { to: "/agents", label: "Agents", icon: "agent", keys: "g a" },
  { to: "/models", label: "Models", icon: "model", keys: "g m" },
  { to: "/gateway", label: "Gateway", icon: "gateway", keys: "g g" },
  { to: "/events", label: "Events", icon: "event", keys: "g v" },
  { to: "/audit", label: "Audit", icon: "audit", keys: "g u" },
  { to: "/admin", label: "Admin", icon: "admin", keys: "g d" },
  { to: "/api", label: "API explorer", icon: "api", keys: "g i" },
] as const satisfies readonly { to: string; label: string; icon: IconName; keys: string }[];

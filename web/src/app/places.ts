import type { IconName } from "../ui/Icon";

export interface Place {
  to: string;
  label: string;
  icon: IconName;
  /** Pressed one after the other. */
  keys: string;
  /** Where addresses begin that belong to it beside its own. */
  also?: readonly string[];
}

/** Where the navigation leads. */
export const PLACES = [
  { to: "/", label: "Home", icon: "home", keys: "g h" },
  { to: "/workflows", label: "Workflows", icon: "workflow", keys: "g w" },
  { to: "/executions", label: "Executions", icon: "execution", keys: "g e", also: ["/compare", "/capsule"] },
  { to: "/data-tables", label: "Data tables", icon: "table", keys: "g t" },
  { to: "/agents", label: "Agents", icon: "agent", keys: "g a", also: ["/agent-runs"] },
  { to: "/models", label: "Models", icon: "model", keys: "g m", also: ["/inferences"] },
  { to: "/evaluation-sets", label: "Evaluation sets", icon: "evaluation", keys: "g s", also: ["/evaluations"] },
  { to: "/gateway", label: "Gateway", icon: "gateway", keys: "g g" },
  { to: "/events", label: "Events", icon: "event", keys: "g v" },
  { to: "/audit", label: "Audit", icon: "audit", keys: "g u" },
  { to: "/admin", label: "Admin", icon: "admin", keys: "g d" },
  { to: "/api", label: "API explorer", icon: "api", keys: "g i" },
] as const satisfies readonly Place[];

/** The place to which an address belongs. */
export function placeOf(path: string): Place | undefined {
  const isUnder = (start: string) => (start === "/" ? path === "/" : path === start || path.startsWith(`${start}/`));
  return PLACES.find((place: Place) => [place.to, ...(place.also ?? [])].some(isUnder));
}

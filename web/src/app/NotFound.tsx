import { Link } from "@tanstack/react-router";
import { EmptyState } from "../ui";
import { usePageTitle } from "./title";

export function NotFound() {
  usePageTitle("Not found");
  return (
    <EmptyState
      icon="search"
      title="There is no such page"
      action={
        <Link to="/" className="text-accent underline">
          Home
        </Link>
      }
    >
      The address may be mistyped, or older than this version. Ctrl-K finds pages, workflows and executions.
    </EmptyState>
  );
}

import { Link } from "@tanstack/react-router";
import { EmptyState, PageHeader } from "../ui";
import { usePageTitle } from "./title";

export function NotFound() {
  usePageTitle("Not found");
  return (
    <>
      <PageHeader title="Not found" />
      <EmptyState
        icon="search"
        title="There is no such page"
        action={
          <Link to="/" className="text-accent underline">
            Home
          </Link>
        }
      >
        The address may be mistyped, or older than this version. <kbd>Ctrl K</kbd> finds pages, workflows and
        executions.
      </EmptyState>
    </>
  );
}

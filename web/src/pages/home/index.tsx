import { Link } from "@tanstack/react-router";
import { usePageTitle } from "@/app/title";
import { PageHeader } from "@/ui";

export function HomePage() {
  usePageTitle("Home");
  return (
    <>
      <PageHeader title="Home" />
      <div className="p-4 text-sm md:p-6">
        <Link to="/workflows" className="text-accent underline">
          Workflows
        </Link>{" "}
        are what runs,{" "}
        <Link to="/executions" className="text-accent underline">
          executions
        </Link>{" "}
        are how they ran.
      </div>
    </>
  );
}

import { usePageTitle } from "@/app/title";
import { PageHeader } from "@/ui";

export function ComparePage() {
  usePageTitle("Compare");
  return <PageHeader title="Compare" />;
}

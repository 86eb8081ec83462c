import { usePageTitle } from "@/app/title";
import { PageHeader } from "@/ui";

export function AuditPage() {
  usePageTitle("Audit");
  return <PageHeader title="Audit" />;
}

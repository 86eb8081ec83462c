import { getRouteApi } from "@tanstack/react-router";
import { usePageTitle } from "@/app/title";
import { PageHeader, wordsOf } from "@/ui";

const route = getRouteApi("/admin/$section");

export function AdminPage() {
  const { section } = route.useParams();
  usePageTitle(wordsOf(section), "Admin");
  return <PageHeader title="Admin" above={wordsOf(section)} />;
}

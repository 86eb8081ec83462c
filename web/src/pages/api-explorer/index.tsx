import { usePageTitle } from "@/app/title";
import { LinkButton, PageHeader } from "@/ui";

export function ApiExplorerPage() {
  usePageTitle("API explorer");
  return (
    <>
      <PageHeader title="API explorer" />
      <div className="flex max-w-prose flex-col gap-3 p-4 text-sm md:p-6">
        <p>
          Everything that this app shows and does comes from the GraphQL API at /graphql. GraphiQL writes and tries
          requests, with the whole schema beside it.
        </p>
        <div className="flex gap-2">
          <LinkButton href="/graphiql">Open GraphiQL</LinkButton>
          <LinkButton href="/graphql/schema">The schema as text</LinkButton>
        </div>
      </div>
    </>
  );
}

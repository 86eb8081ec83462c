import { Link, getRouteApi, useNavigate } from "@tanstack/react-router";
import { usePageTitle } from "@/app/title";
import { CodeBlock, Field, LinkButton, PageHeader, Select, classes } from "@/ui";
import { EXAMPLES } from "./examples";
import { Try } from "./Try";

const route = getRouteApi("/api");

/** How the API is called, with requests that run here against the server that answers. */
export function ApiExplorerPage() {
  usePageTitle("API explorer");
  const { example: chosen } = route.useSearch();
  const navigate = useNavigate();
  const example = EXAMPLES.find((one) => one.id === chosen) ?? EXAMPLES[0];
  const go = (id: string) => void navigate({ to: "/api", search: { example: id } });
  const server = location.origin;
  return (
    <>
      <PageHeader
        title="API explorer"
        actions={
          <>
            <LinkButton href="/graphql/schema" download="timeloom.graphql">
              Schema
            </LinkButton>
            <LinkButton href="/graphiql">GraphiQL</LinkButton>
          </>
        }
      />
      <div className="min-h-0 flex-1 overflow-auto">
        <div className="grid gap-x-8 gap-y-6 p-4 md:p-6 xl:grid-cols-[minmax(0,1fr)_22rem]">
          <div className="flex min-w-0 flex-col gap-4">
            <nav aria-label="Examples" className="hidden flex-wrap gap-1.5 sm:flex">
              {EXAMPLES.map((one) => (
                <Link
                  key={one.id}
                  to="/api"
                  search={{ example: one.id }}
                  aria-current={one === example ? "true" : undefined}
                  className={classes(
                    "rounded-full border px-3 py-1 text-[13px]",
                    one === example
                      ? "border-accent bg-accent-soft font-medium text-accent"
                      : "text-muted hover:bg-hover",
                  )}
                >
                  {one.label}
                </Link>
              ))}
            </nav>
            <Field label="Example" className="sm:hidden">
              <Select
                value={example?.id ?? ""}
                onChange={go}
                choices={EXAMPLES.map((one) => ({ value: one.id, label: one.label }))}
              />
            </Field>
            {example && <Try key={example.id} example={example} />}
          </div>
          <aside className="flex min-w-0 flex-col gap-3 text-sm">
            <h2 className="text-[13px] font-semibold">From your own program</h2>
            <p className="text-muted">Everything that this app shows and does comes from this address:</p>
            <CodeBlock label="the address of the API" code={`${server}/graphql`} />
            <p className="text-muted">
              A program shows a key.{" "}
              <Link to="/admin/$section" params={{ section: "keys" }} className="text-accent underline">
                Make one
              </Link>{" "}
              that may do what the program needs, and no more.
            </p>
            <CodeBlock label="the header with the key" code="Authorization: Bearer timeloom_key_…" />
            <dl className="flex flex-col gap-2 text-[13px] text-muted">
              <Hint name="Queries">by POST or GET, mutations by POST alone, as JSON.</Hint>
              <Hint name="Subscriptions">
                over WebSocket at <code>/graphql/ws</code> (graphql-transport-ws), or as Server-Sent Events with{" "}
                <code>Accept: text/event-stream</code>.
              </Hint>
              <Hint name="Read what you wrote">
                a change answers a <code>position</code>; give it to reads as <code>waitFor</code>.
              </Hint>
              <Hint name="Not twice">
                <code>Idempotency-Key</code> with a mutation: sent again, it is the same one.
              </Hint>
              <Hint name="Why">
                <code>X-Timeloom-Reason</code> is kept with every event that comes of a request.
              </Hint>
              <Hint name="Cost">
                <code>extensions.cost</code> of every answer; 20,000 points a request where nothing else is set.
              </Hint>
            </dl>
          </aside>
        </div>
      </div>
    </>
  );
}

function Hint({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt className="inline font-medium text-text">{name}</dt> <dd className="inline">{children}</dd>
    </div>
  );
}

import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useQuery } from "urql";
import { faultOf, graphql } from "@/api";
import { Badge, ErrorState, Field, Input, Select, Skeleton, instant } from "@/ui";
import { Facts } from "@/ui/Facts";
import { Copyable } from "@/ui/Copyable";
import { Panel } from "@/ui/Panel";
import type { ModelShown } from "./ModelPage";

const Resolve = graphql(`
  query ModelResolve($reference: String!, $asOf: AsOf) {
    resolveModel(reference: $reference, asOf: $asOf) {
      refusal
      version {
        version
        digest
        file {
          source
        }
      }
    }
  }
`);

const route = getRouteApi("/models/$modelName");

/** The moment now, as a field for dates writes it. */
function nowHere(): string {
  const now = new Date();
  return new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

/** Which version a name meant at a moment, by the same rule as when the model is asked. */
export function Past({ model }: { model: ModelShown }) {
  const { alias, at } = route.useSearch();
  const navigate = useNavigate({ from: "/models/$modelName" });
  const set = (change: { alias?: string; at?: string }) =>
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const reference = alias === undefined ? model.name : `${model.name}@${alias}`;
  const asOf = at === undefined ? undefined : { time: new Date(at).toISOString() };
  const [{ data, error, fetching }, again] = useQuery({
    query: Resolve,
    variables: { reference, asOf },
    requestPolicy: "network-only",
  });
  const found = data?.resolveModel;
  const aliases = [...new Set([...model.aliases.map((one) => one.alias), ...(alias === undefined ? [] : [alias])])];
  return (
    <div className="max-w-3xl p-4 md:p-6">
      <Panel
        title="Which version answered then?"
        hint="By the same rule as when the model is asked, from the events until then."
      >
        <div className="flex flex-col gap-4">
          <div className="grid gap-3 sm:grid-cols-2">
            <Field label="What was asked for">
              <Select
                value={alias ?? ""}
                choices={[
                  { value: "", label: `${model.name}, without a version` },
                  ...aliases.map((one) => ({ value: one, label: `${model.name}@${one}` })),
                ]}
                onChange={(next) => set({ alias: next === "" ? undefined : next })}
              />
            </Field>
            <Field label="When" hint="In your time zone. Empty: now.">
              <Input
                type="datetime-local"
                step={1}
                max={nowHere()}
                value={at ?? ""}
                onChange={(event) => set({ at: event.target.value === "" ? undefined : event.target.value })}
              />
            </Field>
          </div>
          {error ? (
            <ErrorState fault={faultOf(error)} onRetry={() => again({ requestPolicy: "network-only" })} />
          ) : fetching && data === undefined ? (
            <Skeleton className="h-16" />
          ) : (
            <div role="status" className="rounded-md bg-sunken p-4 text-[13px]">
              {found == null ? (
                <p>There was no model of this name {at === undefined ? "" : `on ${instant(at)}`}.</p>
              ) : found.version == null ? (
                <p className="text-bad">No version answered: {found.refusal}</p>
              ) : (
                <Facts
                  facts={[
                    [
                      "Answered",
                      <span key="version" className="inline-flex flex-wrap items-center gap-x-2">
                        <strong className="whitespace-nowrap">version {found.version.version}</strong>
                        {found.version.version === model.promotedVersion && <Badge tone="good">answers now too</Badge>}
                      </span>,
                    ],
                    ["At", at === undefined ? "now" : instant(at)],
                    ["File", found.version.file?.source ?? "–"],
                    ["SHA-256", <Copyable key="digest" text={found.version.digest} label="Copy the digest" />],
                  ]}
                />
              )}
            </div>
          )}
        </div>
      </Panel>
    </div>
  );
}

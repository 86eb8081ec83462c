import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { useQuery } from "urql";
import { type UserError, graphql, useChange } from "@/api";
import { Button, Combobox, Dialog, Field, Input, Select, Textarea } from "@/ui";
import { JsonPart } from "@/ui/SchemaForm";
import { PublishVersion } from "./changes";

const Register = graphql(`
  mutation AgentRegister($input: RegisterAgentInput!) {
    registerAgent(input: $input) {
      name
      position
      errors {
        ...Errors
      }
    }
  }
`);

const Routes = graphql(`
  query AgentRoutes {
    gatewayRoutes {
      name
    }
    templates(kind: AGENT) {
      name
      title
      description
      needs
      source
    }
  }
`);

export function RegisterAgent({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  return isOpen ? <OpenRegisterAgent onClose={onClose} /> : null;
}

/** What is wrong, at the field of that name; without one, what no field is about. */
export function errorAt(errors: readonly UserError[], field: string): string | undefined {
  return errors.find((error) => error.path?.at(-1) === field)?.message;
}

function recordOf(source: unknown): Record<string, unknown> {
  return typeof source === "object" && source !== null ? { ...source } : {};
}

function OpenRegisterAgent({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const [{ data }] = useQuery({ query: Routes });
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [model, setModel] = useState("");
  const [prompt, setPrompt] = useState("");
  const [more, setMore] = useState<unknown>({ tools: [], limits: { turns: 8 } });
  const [template, setTemplate] = useState("");
  const [errors, setErrors] = useState<readonly UserError[]>([]);
  const [isRegistered, setRegistered] = useState(false);
  const [register, isRegistering] = useChange(Register, {
    payload: (answer) => answer.registerAgent,
    failed: "The agent was not registered",
    quiet: true,
  });
  const [publish, isPublishing] = useChange(PublishVersion, {
    payload: (answer) => answer.publishAgentVersion,
    done: "The agent can be run",
    failed: "Its first version was not published",
    quiet: true,
  });
  const go = async () => {
    setErrors([]);
    if (!isRegistered) {
      const outcome = await register({ input: { name: name.trim(), description: description.trim() } });
      if (outcome.kind === "fault") return;
      if (outcome.kind !== "done") {
        setErrors(outcome.errors);
        return;
      }
      setRegistered(true);
    }
    const given = typeof more === "object" && more !== null ? more : {};
    const outcome = await publish({ input: { name: name.trim(), record: { ...given, model, prompt } } });
    if (outcome.kind === "fault") return;
    if (outcome.kind !== "done") {
      setErrors(outcome.errors);
      return;
    }
    await navigate({ to: "/agents/$agentName", params: { agentName: name.trim() } });
  };
  const routes = data?.gatewayRoutes ?? [];
  const templates = data?.templates ?? [];
  const begun = templates.find((one) => one.name === template);
  const beginWith = (chosen: string) => {
    setTemplate(chosen);
    const found = templates.find((one) => one.name === chosen);
    if (!found) return;
    // Which route it asks by is chosen here.
    const { prompt: words, ...rest } = recordOf(found.source);
    if (name === "" || name === template) setName(found.name);
    setDescription(found.description);
    setPrompt(typeof words === "string" ? words : "");
    delete rest.model;
    setMore(rest);
  };
  const others = errors.filter((error) => error.path?.at(-1) !== "name");
  const footer = (
    <>
      <Button onClick={onClose}>Not now</Button>
      <Button
        kind="primary"
        isBusy={isRegistering || isPublishing}
        disabled={name.trim() === "" || model === "" || prompt.trim() === ""}
        onClick={() => void go()}
      >
        Register and publish version 1
      </Button>
    </>
  );
  return (
    <Dialog title="Register an agent" isOpen onClose={onClose} footer={footer}>
      <div className="flex flex-col gap-3">
        <Field
          label="Begin with"
          hint={
            begun
              ? `It needs ${begun.needs.join("; ")}. Everything below can be changed.`
              : "A template fills the fields below."
          }
        >
          <Select
            value={template}
            choices={[
              { value: "", label: "An empty record" },
              ...templates.map((one) => ({ value: one.name, label: one.title })),
            ]}
            onChange={beginWith}
          />
        </Field>
        <Field
          label="Name"
          hint="Small letters, digits and hyphens. It stays as it is."
          error={errorAt(errors, "name")}
        >
          <Input value={name} disabled={isRegistered} onChange={(event) => setName(event.target.value)} />
        </Field>
        <Field label="What it is for">
          <Input value={description} disabled={isRegistered} onChange={(event) => setDescription(event.target.value)} />
        </Field>
        <Field
          label="Route"
          hint={
            routes.length > 0 ? (
              "By which its model is asked. A model of this machine that chats is a route of its own name."
            ) : (
              <>
                There is no route yet:{" "}
                <Link to="/gateway" search={{ tab: "routes" }} className="underline">
                  set one up at the gateway
                </Link>
                , or name a model of this machine that chats.
              </>
            )
          }
        >
          <Combobox
            value={model}
            onChange={setModel}
            isFree
            choices={routes.map((route) => ({ value: route.name, label: route.name }))}
          />
        </Field>
        <Field label="Prompt" hint="What it is told to be and do.">
          <Textarea rows={4} value={prompt} onChange={(event) => setPrompt(event.target.value)} />
        </Field>
        <Field
          label="Tools, limits and the rest of its record"
          hint="As docs/agents.md says: tools, input_schema, output_schema, config_schema, config, memory, limits, sampling."
        >
          <JsonPart value={more} onChange={setMore} rows={7} />
        </Field>
        {others.map((error) => (
          <p key={error.message} role="alert" className="text-sm text-bad">
            {error.message}
          </p>
        ))}
      </div>
    </Dialog>
  );
}

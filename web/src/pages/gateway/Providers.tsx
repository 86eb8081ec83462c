import { useState } from "react";
import { useQuery } from "urql";
import { type UserError, useChange } from "@/api";
import type { GatewayProtocol, SetGatewayProviderInput } from "@/gql/schema";
import {
  Badge,
  Button,
  type Column,
  Dialog,
  EmptyState,
  Field,
  Icon,
  Input,
  Select,
  Switch,
  Table,
  Textarea,
  duration,
} from "@/ui";
import { Panel } from "@/ui/Panel";
import { Credentials, RemoveProvider, SetProvider } from "./documents";
import { NumberField, OtherProblems, areNumbers, numberOf, problemAt } from "./forms";
import type { SetupShown } from "./GatewayPage";
import { Remove } from "./Remove";

type Provider = SetupShown["gatewayProviders"][number];

const PROTOCOLS: Record<GatewayProtocol, { words: string; url: string; type: string }> = {
  OPEN_AI: { words: "OpenAI", url: "https://api.openai.com/v1", type: "openAiApi" },
  ANTHROPIC: { words: "Anthropic", url: "https://api.anthropic.com", type: "anthropicApi" },
  OLLAMA: { words: "Ollama", url: "http://localhost:11434", type: "" },
  OLLAMA_TEXT: { words: "Ollama, texts", url: "http://localhost:11434", type: "" },
  LOCAL: { words: "this machine", url: "", type: "" },
};

export function Providers({ setup, mayWrite }: { setup: SetupShown; mayWrite: boolean }) {
  const [edited, setEdited] = useState<Provider | "new" | undefined>();
  const [remove] = useChange(RemoveProvider, {
    payload: (data) => data.removeGatewayProvider,
    done: "The provider was removed",
    failed: "The provider was not removed",
  });
  const columns: Column<Provider>[] = [
    { key: "name", header: "Name", cell: (row) => <span className="font-medium">{row.name}</span> },
    { key: "protocol", header: "Speaks", cell: (row) => <Badge>{PROTOCOLS[row.protocol].words}</Badge> },
    {
      key: "url",
      header: "Address",
      wideOnly: true,
      cell: (row) => <code className="text-[12.5px] break-all">{row.baseUrl ?? "this machine"}</code>,
    },
    {
      key: "credential",
      header: "Key",
      wideOnly: true,
      cell: (row) =>
        row.credentialName == null ? <span className="text-muted">none</span> : `credential “${row.credentialName}”`,
    },
    { key: "total", header: "Answers within", align: "end", wideOnly: true, cell: (row) => duration(row.totalMs) },
    {
      key: "actions",
      header: <span className="sr-only">Changes</span>,
      align: "end",
      cell: (row) =>
        mayWrite && (
          <span className="inline-flex">
            <Button size="small" kind="quiet" aria-label={`Change ${row.name}`} onClick={() => setEdited(row)}>
              Change
            </Button>
            <Remove
              what={row.name}
              onRemove={async () => (await remove({ input: { name: row.name } })).kind === "done"}
            >
              Routes that name it have to be changed first.
            </Remove>
          </span>
        ),
    },
  ];
  return (
    <Panel
      title="Providers"
      hint="Who is asked. Their keys are in credentials, and are shown nowhere."
      isFlush
      actions={
        mayWrite && (
          <Button size="small" onClick={() => setEdited("new")}>
            <Icon name="plus" /> Set up a provider
          </Button>
        )
      }
    >
      <Table
        label="Providers"
        rows={setup.gatewayProviders}
        columns={columns}
        keyOf={(row) => row.name}
        empty={
          <EmptyState
            icon="gateway"
            title="No providers yet"
            action={
              mayWrite && (
                <Button kind="primary" onClick={() => setEdited("new")}>
                  Set up a provider
                </Button>
              )
            }
          >
            A provider is an address that speaks the protocol of OpenAI, Anthropic or Ollama. Models of this machine
            need none: each that chats is a route by itself.
          </EmptyState>
        }
      />
      {edited !== undefined && (
        <ProviderForm provider={edited === "new" ? undefined : edited} onClose={() => setEdited(undefined)} />
      )}
    </Panel>
  );
}

const FIELDS = [
  "name",
  "baseUrl",
  "credentialName",
  "credentialType",
  "authoritiesPem",
  "connectMs",
  "firstTokenMs",
  "streamMs",
  "totalMs",
];
const texts = (value: number | null | undefined) => (value == null ? "" : String(value));

function ProviderForm({ provider, onClose }: { provider: Provider | undefined; onClose: () => void }) {
  const [{ data, error: credentialsError }] = useQuery({ query: Credentials });
  const [name, setName] = useState(provider?.name ?? "");
  const [protocol, setProtocol] = useState<GatewayProtocol>(provider?.protocol ?? "OPEN_AI");
  const [baseUrl, setBaseUrl] = useState(provider?.baseUrl ?? "");
  const [credential, setCredential] = useState(
    provider?.credentialName == null ? "" : `${provider.credentialType ?? ""}\t${provider.credentialName}`,
  );
  const [times, setTimes] = useState({
    connectMs: texts(provider?.connectMs),
    firstTokenMs: texts(provider?.firstTokenMs),
    streamMs: texts(provider?.streamMs),
    totalMs: texts(provider?.totalMs),
  });
  const [pem, setPem] = useState(provider?.authoritiesPem ?? "");
  const [dialect, setDialect] = useState({
    maxTokensField: provider?.maxTokensField ?? false,
    sendsThinking: provider?.sendsThinking ?? false,
    streamUsage: provider?.streamUsage ?? true,
  });
  const [errors, setErrors] = useState<readonly UserError[]>([]);
  const [save, isSaving] = useChange(SetProvider, {
    payload: (answer) => answer.setGatewayProvider,
    done: "The provider is used from now on",
    failed: "The provider was not set up",
    quiet: true,
  });
  const credentials = data?.credentials.nodes ?? [];
  const isKnown = credential === "" || credentials.some((one) => `${one.type}\t${one.name}` === credential);
  const choices = [
    { value: "", label: "none" },
    ...credentials.map((one) => ({ value: `${one.type}\t${one.name}`, label: `${one.name} (${one.type})` })),
    ...(isKnown
      ? []
      : [{ value: credential, label: `${provider?.credentialName ?? ""} (${provider?.credentialType ?? ""})` }]),
  ];
  const go = async () => {
    setErrors([]);
    const [credentialType, credentialName] = credential === "" ? [] : credential.split("\t");
    const input: SetGatewayProviderInput = {
      name: name.trim(),
      protocol,
      baseUrl: protocol === "LOCAL" ? undefined : baseUrl.trim(),
      credentialName,
      credentialType,
      authoritiesPem: pem.trim() === "" ? undefined : pem,
      answerBytesMax: provider?.answerBytesMax,
      connectMs: numberOf(times.connectMs),
      firstTokenMs: numberOf(times.firstTokenMs),
      streamMs: numberOf(times.streamMs),
      totalMs: numberOf(times.totalMs),
      ...dialect,
    };
    const outcome = await save({ input });
    if (outcome.kind === "done") onClose();
    else if (outcome.kind !== "fault") setErrors(outcome.errors);
  };
  const isReady =
    name.trim() !== "" && (protocol === "LOCAL" || baseUrl.trim() !== "") && areNumbers(...Object.values(times));
  return (
    <Dialog
      title={provider ? `Change ${provider.name}` : "Set up a provider"}
      isOpen
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>Not now</Button>
          <Button kind="primary" isBusy={isSaving} disabled={!isReady} onClick={() => void go()}>
            Save
          </Button>
        </>
      }
    >
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label="Name" error={problemAt(errors, "name")} hint="Small letters, digits and hyphens.">
          <Input value={name} disabled={provider !== undefined} onChange={(event) => setName(event.target.value)} />
        </Field>
        <Field label="Speaks">
          <Select
            value={protocol}
            choices={(Object.keys(PROTOCOLS) as GatewayProtocol[]).map((value) => ({
              value,
              label: PROTOCOLS[value].words,
            }))}
            onChange={setProtocol}
          />
        </Field>
        {protocol !== "LOCAL" && (
          <>
            <Field
              label="Address"
              className="sm:col-span-2"
              error={problemAt(errors, "baseUrl")}
              hint={`Such as ${PROTOCOLS[protocol].url}. It holds no key. Hosts of a private network have to be allowed when the server starts.`}
            >
              <Input
                type="url"
                value={baseUrl}
                placeholder={PROTOCOLS[protocol].url}
                onChange={(event) => setBaseUrl(event.target.value)}
              />
            </Field>
            <Field
              label="Credential that holds its key"
              className="sm:col-span-2"
              error={problemAt(errors, "credentialName") ?? problemAt(errors, "credentialType")}
              hint={
                credentialsError
                  ? "Your account may not see credentials: ask somebody who may to set it up."
                  : "Credentials are saved under Admin, or by “timeloom credential save”. The key itself is never shown."
              }
            >
              <Select value={credential} choices={choices} onChange={setCredential} />
            </Field>
          </>
        )}
        <details className="sm:col-span-2">
          <summary className="text-[13px] font-medium text-muted">Times, authorities and dialect</summary>
          <div className="mt-2 grid gap-3 sm:grid-cols-2">
            {(
              [
                ["totalMs", "Whole answer (ms)", "120000"],
                ["firstTokenMs", "First piece (ms)", "60000"],
                ["streamMs", "Whole stream (ms)", "600000"],
                ["connectMs", "Connection (ms)", "5000"],
              ] as const
            ).map(([field, label, usual]) => (
              <NumberField
                key={field}
                label={label}
                placeholder={usual}
                value={times[field]}
                error={problemAt(errors, field)}
                onChange={(value) => setTimes({ ...times, [field]: value })}
              />
            ))}
            <Field
              label="Authorities that are trusted (PEM)"
              className="sm:col-span-2"
              error={problemAt(errors, "authoritiesPem")}
            >
              <Textarea
                rows={3}
                className="font-mono text-xs"
                value={pem}
                onChange={(event) => setPem(event.target.value)}
              />
            </Field>
            <div className="flex flex-col gap-2 sm:col-span-2">
              <Switch
                label="Calls the most tokens of an answer max_tokens"
                checked={dialect.maxTokensField}
                onChange={(maxTokensField) => setDialect({ ...dialect, maxTokensField })}
              />
              <Switch
                label="Is sent thoughts of earlier answers"
                checked={dialect.sendsThinking}
                onChange={(sendsThinking) => setDialect({ ...dialect, sendsThinking })}
              />
              <Switch
                label="May be asked to end a stream with the tokens that it took"
                checked={dialect.streamUsage}
                onChange={(streamUsage) => setDialect({ ...dialect, streamUsage })}
              />
            </div>
          </div>
        </details>
        <div className="sm:col-span-2">
          <OtherProblems errors={errors} fields={FIELDS} />
        </div>
      </div>
    </Dialog>
  );
}

import { useState } from "react";
import { type Outcome, type Payload, useChange } from "@/api";
import {
  Badge,
  Bytes,
  type Column,
  ConfirmDialog,
  EmptyState,
  Icon,
  IconButton,
  Menu,
  Table,
  Time,
  Duration,
} from "@/ui";
import { Facts } from "@/ui/Facts";
import { Copyable } from "@/ui/Copyable";
import { counted } from "@/ui/counted";
import { Panel } from "@/ui/Panel";
import { Aliases } from "./Aliases";
import { Load, Promote, Unload, Withdraw } from "./documents";
import type { ModelShown } from "./ModelPage";
import { Rollout } from "./Rollout";
import { shapeWords } from "./tensor";

type Version = ModelShown["versions"][number];
type LoadShown = ModelShown["loads"]["nodes"][number];
type Spec = NonNullable<Version["file"]>["inputs"][number];

export function Versions({ model, mayWrite }: { model: ModelShown; mayWrite: boolean }) {
  const [asked, setAsked] = useState<{ what: "promote" | "withdraw"; version: number } | undefined>();
  const close = () => setAsked(undefined);
  const failed = "The version was not changed";
  const [promote] = useChange(Promote, {
    payload: (data) => data.promoteModel,
    done: "It answers from now on",
    failed,
  });
  const [withdraw] = useChange(Withdraw, {
    payload: (data) => data.withdrawModelVersion,
    done: "It answers no more",
    failed,
  });
  const [load] = useChange(Load, { payload: (data) => data.loadModel, done: "Workers keep it loaded", failed });
  const [unload] = useChange(Unload, { payload: (data) => data.unloadModel, done: "Workers put it away", failed });
  const isDone = async (outcome: Promise<Outcome<Payload>>) => (await outcome).kind === "done";
  if (model.versions.length === 0) {
    return (
      <EmptyState icon="model" title="No version yet">
        A version is a file of the format ONNX. Add one, then let it answer.
      </EmptyState>
    );
  }
  return (
    <div className="grid items-start gap-4 p-4 md:p-6 xl:grid-cols-[minmax(0,1fr)_22rem]">
      <div className="flex min-w-0 flex-col gap-4">
        {model.versions.toReversed().map((version) => (
          <VersionPanel
            key={version.version}
            model={model}
            version={version}
            mayWrite={mayWrite}
            onPromote={() => setAsked({ what: "promote", version: version.version })}
            onWithdraw={() => setAsked({ what: "withdraw", version: version.version })}
            onLoad={(isLoaded) =>
              void (isLoaded ? unload : load)({ input: { name: model.name, version: version.version } })
            }
          />
        ))}
        <Loads loads={model.loads.nodes} />
      </div>
      <div className="flex min-w-0 flex-col gap-4">
        <Rollout
          key={`${model.rollout?.version ?? 0}-${model.rollout?.percent ?? 0}`}
          model={model}
          mayWrite={mayWrite}
        />
        <Aliases model={model} mayWrite={mayWrite} />
      </div>
      <ConfirmDialog
        title={`Promote version ${asked?.version ?? ""}`}
        isOpen={asked?.what === "promote"}
        onClose={close}
        confirm="Promote it"
        reason="optional"
        onConfirm={(reason) => isDone(promote({ input: { name: model.name, version: asked?.version ?? 0, reason } }))}
      >
        Requests that name no version are answered by it from now on.
      </ConfirmDialog>
      <ConfirmDialog
        title={`Withdraw version ${asked?.version ?? ""}`}
        isOpen={asked?.what === "withdraw"}
        onClose={close}
        confirm="Withdraw it"
        isDangerous
        reason="required"
        onConfirm={(reason) =>
          isDone(withdraw({ input: { name: model.name, version: asked?.version ?? 0, reason: reason ?? "" } }))
        }
      >
        It answers nothing any more, whoever names it. What it answered stays.
      </ConfirmDialog>
    </div>
  );
}

interface VersionPanelProps {
  model: ModelShown;
  version: Version;
  mayWrite: boolean;
  onPromote: () => void;
  onWithdraw: () => void;
  onLoad: (isLoaded: boolean) => void;
}

function VersionPanel({ model, version, mayWrite, onPromote, onWithdraw, onLoad }: VersionPanelProps) {
  const { file } = version;
  const isPromoted = model.promotedVersion === version.version;
  const isKept = model.keptLoaded.includes(version.version);
  const isWithdrawn = version.withdrawnReason != null;
  const isLoaded = model.loads.nodes.some((load) => load.version === version.version && load.unloaded == null);
  return (
    <Panel
      title={
        <span className="inline-flex flex-wrap items-center gap-1.5">
          Version {version.version}
          {isPromoted && <Badge tone="good">answers</Badge>}
          {model.rollout?.version === version.version && (
            <Badge tone="warn">
              {model.rollout.shadow ? "shadow" : "canary"} {model.rollout.percent} %
            </Badge>
          )}
          {model.aliases
            .filter((alias) => alias.version === version.version)
            .map((alias) => (
              <Badge key={alias.alias} tone="accent">
                @{alias.alias}
              </Badge>
            ))}
          {isLoaded && <Badge tone="info">in memory</Badge>}
          {isKept && <Badge>kept loaded</Badge>}
          {isWithdrawn && <Badge tone="bad">withdrawn</Badge>}
        </span>
      }
      actions={
        mayWrite &&
        !isWithdrawn && (
          <Menu
            trigger={
              <IconButton size="small" label={`Change version ${version.version}`} icon={<Icon name="more" />} />
            }
            items={[
              { label: "Promote it", run: onPromote, disabled: isPromoted },
              { label: isKept ? "Put it away until it is asked" : "Keep it loaded", run: () => onLoad(isKept) },
              "line",
              { label: "Withdraw it", isDangerous: true, run: onWithdraw },
            ]}
          />
        )
      }
    >
      {isWithdrawn && <p className="mb-3 text-[13px] text-bad">Withdrawn: {version.withdrawnReason}</p>}
      <div className="grid gap-4 md:grid-cols-2">
        <Facts
          facts={[
            [
              "SHA-256",
              <Copyable key="digest" text={version.digest} label={`Copy the digest of version ${version.version}`} />,
            ],
            ...(file
              ? ([
                  ["Size", <Bytes key="size" value={file.bytes} />],
                  ["Made by", file.producer || "–"],
                  ["Source", file.source ?? "–"],
                  [
                    "Licence",
                    file.licence ?? (
                      <span key="licence" className="text-muted">
                        not told
                      </span>
                    ),
                  ],
                  [
                    "Checked",
                    `${file.nodes.toLocaleString()} nodes, operators of version ${file.opset}, loaded on trial`,
                  ],
                ] as const)
              : ([
                  ["Format", version.format],
                  ["File", "only its digest was told"],
                ] as const)),
          ]}
        />
        {file && (
          <div className="flex flex-col gap-2">
            <Signature title="Takes" specs={file.inputs} />
            <Signature title="Gives" specs={file.outputs} />
          </div>
        )}
      </div>
    </Panel>
  );
}

function Signature({ title, specs }: { title: string; specs: readonly Spec[] }) {
  return (
    <div>
      <h3 className="mb-1 text-xs font-medium text-muted">{title}</h3>
      <ul className="flex flex-col gap-0.5">
        {specs.map((spec) => (
          <li key={spec.name} className="flex items-baseline gap-2 text-[13px]">
            <code className="truncate">{spec.name}</code>
            <span className="text-xs whitespace-nowrap text-muted">
              {spec.element} · {shapeWords(spec.shape)}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Loads({ loads }: { loads: readonly LoadShown[] }) {
  const columns: Column<LoadShown>[] = [
    { key: "version", header: "Version", cell: (row) => row.version },
    {
      key: "provider",
      header: "Computed by",
      cell: (row) => (
        <div className="min-w-32">
          {row.provider === "CUDA" ? "GPU" : "CPU"}
          {row.unloaded != null && <Badge>put away: {row.unloaded}</Badge>}
          {row.fellBack != null && <div className="text-xs text-warn">{row.fellBack}</div>}
          {row.degraded != null && <div className="text-xs text-warn">{row.degraded}</div>}
        </div>
      ),
    },
    {
      key: "instances",
      header: "Instances",
      align: "end",
      wideOnly: true,
      cell: (row) => (
        <span className="whitespace-nowrap">{`${row.instances} × ${counted(row.threads, "thread")}`}</span>
      ),
    },
    {
      key: "rows",
      header: <span title="Most rows that are computed together">Rows</span>,
      align: "end",
      wideOnly: true,
      cell: (row) => row.rowsMax,
    },
    {
      key: "took",
      header: "Load took",
      align: "end",
      wideOnly: true,
      cell: (row) => <Duration milliseconds={row.loadMs + row.warmUpMs} />,
    },
    {
      key: "worker",
      header: "Worker",
      wideOnly: true,
      cell: (row) => (
        <code className="text-xs whitespace-nowrap" title={row.workerId}>
          …{row.workerId.slice(-8)}
        </code>
      ),
    },
    { key: "at", header: "Loaded", align: "end", cell: (row) => <Time value={row.history.createdAt} /> },
  ];
  return (
    <Panel title="In memory" hint="A version is loaded when it is first asked, or kept loaded." isFlush>
      <Table
        label="In memory"
        rows={loads}
        columns={columns}
        keyOf={(row) => row.id}
        empty={<p className="p-4 text-[13px] text-muted">No worker has it in memory.</p>}
      />
    </Panel>
  );
}

import { Link, getRouteApi } from "@tanstack/react-router";
import { useQuery } from "urql";
import { faultOf, graphql } from "@/api";
import { usePageTitle } from "@/app/title";
import type { InferencePageQuery } from "@/gql/graphql";
import {
  Badge,
  CopyButton,
  Duration,
  EmptyState,
  ErrorState,
  PageHeader,
  PositionLink,
  Skeleton,
  StatusBadge,
  Time,
  wordsOf,
} from "@/ui";
import { CodeBlock } from "@/ui/CodeBlock";
import { type Fact, Facts } from "@/ui/Facts";
import { Copyable } from "@/ui/Copyable";
import { Panel } from "@/ui/Panel";
import { type Value, firstValues, shapeWords, valueWords } from "./tensor";

const OneInference = graphql(`
  query InferencePage($id: UUID!) {
    inference(id: $id) {
      id
      asked
      askedAt
      deadline
      modelName
      version
      digest
      status
      problem
      reason
      provider
      queueUs
      computeUs
      batchRows
      bucket
      fingerprint
      node
      executionId
      workerId
      requestPosition
      endedPosition
      modelVersion {
        withdrawnReason
        file {
          source
          licence
        }
      }
      execution {
        id
        workflow {
          id
          name
        }
      }
      load {
        id
        options
        runtime
        machine
        provider
        fellBack
        instances
        placement {
          provider
          nodes
        }
        history {
          createdAt
          createdPosition
        }
      }
      inputs {
        name
        element
        shape
        digest
        kept
        content
        path
      }
      outputs {
        name
        element
        shape
        digest
        kept
        content
        path
      }
    }
  }
`);

type Inference = NonNullable<InferencePageQuery["inference"]>;
type Tensor = NonNullable<Inference["inputs"]>[number];

const route = getRouteApi("/inferences/$inferenceId");

export function InferencePage() {
  const { inferenceId } = route.useParams();
  usePageTitle("Inference", "Models");
  const [{ data, error, fetching }, again] = useQuery({ query: OneInference, variables: { id: inferenceId } });
  const inference = data?.inference;
  if (inference) return <Shown inference={inference} />;
  return (
    <>
      <PageHeader title="Inference" above={<Link to="/models">Models</Link>} />
      {error ? (
        <ErrorState fault={faultOf(error)} onRetry={() => again({ requestPolicy: "network-only" })} />
      ) : fetching || data === undefined ? (
        <div className="flex flex-col gap-3 p-6" aria-busy="true">
          <Skeleton className="h-24" />
          <Skeleton className="h-48" />
        </div>
      ) : (
        <EmptyState icon="model" title="There is no such inference">
          Of a sampled model only one in so many is written down.{" "}
          <Link to="/models" className="text-accent underline">
            See all models
          </Link>
        </EmptyState>
      )}
    </>
  );
}

function Shown({ inference }: { inference: Inference }) {
  return (
    <>
      <PageHeader
        above={
          <Link
            to="/models/$modelName"
            params={{ modelName: inference.modelName }}
            search={{ tab: "inferences" }}
            className="hover:underline"
          >
            {inference.modelName}
          </Link>
        }
        title={
          <span className="inline-flex max-w-full flex-wrap items-center gap-x-2">
            <span className="truncate">{inference.asked}</span>
            <StatusBadge status={inference.status} />
            <Badge>version {inference.version}</Badge>
          </span>
        }
      >
        Asked <Time value={inference.askedAt} />
      </PageHeader>
      <div className="grid items-start gap-4 p-4 md:p-6 lg:grid-cols-[minmax(0,1fr)_24rem]">
        <div className="flex min-w-0 flex-col gap-4">
          {inference.problem != null && (
            <p role="note" className="rounded-lg border border-bad/40 bg-bad-soft px-4 py-3 text-[13px] text-bad">
              {wordsOf(inference.problem)}
              {inference.reason != null && `: ${inference.reason}`}
            </p>
          )}
          <Tensors title="Asked with" tensors={inference.inputs} />
          <Tensors title="Answered" tensors={inference.outputs} />
        </div>
        <Trace inference={inference} />
      </div>
    </>
  );
}

const VALUES_MAX = 64;

function Tensors({ title, tensors }: { title: string; tensors: readonly Tensor[] | null | undefined }) {
  return (
    <Panel title={title} isFlush>
      {tensors == null || tensors.length === 0 ? (
        <p className="p-4 text-[13px] text-muted">Nothing is written down.</p>
      ) : (
        <ul className="divide-y">
          {tensors.map((tensor) => (
            <li key={tensor.name} className="p-4">
              <TensorView tensor={tensor} />
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function TensorView({ tensor }: { tensor: Tensor }) {
  const values = tensor.content == null ? undefined : firstValues(tensor.content, tensor.element, VALUES_MAX);
  const all = tensor.shape.reduce((product, size) => product * size, 1);
  return (
    <>
      <div className="mb-2 flex flex-wrap items-center gap-x-3 gap-y-1 text-[13px]">
        <code className="font-medium">{tensor.name}</code>
        <span className="text-muted">
          {tensor.element} · {shapeWords(tensor.shape)}
        </span>
        <span className="ml-auto flex items-center gap-1 text-xs text-muted" title="SHA-256 over type, shape and bytes">
          <code>{tensor.digest.slice(0, 12)}…</code>
          <CopyButton text={tensor.digest} label={`Copy the digest of ${tensor.name}`} />
          {tensor.path != null && (
            <a href={tensor.path} download className="text-accent hover:underline">
              bytes
            </a>
          )}
        </span>
      </div>
      {values === undefined ? (
        <p className="text-[13px] text-muted">
          {tensor.kept === "DIGEST_ONLY"
            ? "Only its digest was written down."
            : tensor.content == null
              ? "It is larger than is shown here: download its bytes."
              : "It is of a type that is not shown here: download its bytes."}
        </p>
      ) : (
        <>
          <Values values={values} width={tensor.shape.at(-1) ?? 1} label={tensor.name} />
          {all > values.length && (
            <p className="mt-1 text-xs text-muted">
              The first {values.length} of {all.toLocaleString()} values
            </p>
          )}
        </>
      )}
    </>
  );
}

/** Values in rows as long as the last dimension, where that is short. */
function Values({ values, width, label }: { values: readonly Value[]; width: number; label: string }) {
  const length = width > 0 && width <= 16 ? width : 8;
  const rows = Array.from({ length: Math.ceil(values.length / length) }, (_, row) =>
    values.slice(row * length, (row + 1) * length),
  );
  return (
    <div className="overflow-x-auto rounded bg-sunken p-2" tabIndex={0} role="region" aria-label={`Values of ${label}`}>
      <table className="font-mono text-[12.5px]">
        <tbody>
          {rows.map((row, place) => (
            <tr key={place}>
              {row.map((value, column) => (
                <td key={column} className="px-2 py-0.5 text-right whitespace-pre tabular-nums">
                  {valueWords(value)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Digest({ value, label }: { value: string; label: string }) {
  return <Copyable text={value} label={label} />;
}

/** From an answer back to the bytes of the model, the machine, and who asked. */
function Trace({ inference }: { inference: Inference }) {
  const { load, modelVersion } = inference;
  const steps: [string, (Fact | undefined)[]][] = [
    [
      "Who asked",
      [
        inference.executionId == null
          ? ["By", "a client, with a key"]
          : [
              "Execution",
              <Link
                key="execution"
                to="/executions/$executionId"
                params={{ executionId: inference.executionId }}
                className="text-accent hover:underline"
              >
                {inference.execution?.workflow?.name ?? inference.executionId}
              </Link>,
            ],
        inference.node == null ? undefined : ["Node", inference.node],
        ["Asked for", inference.asked],
        inference.deadline == null ? undefined : ["Until", <Time key="deadline" value={inference.deadline} exact />],
        ["Event", <PositionLink key="event" position={inference.requestPosition} />],
      ],
    ],
    [
      "Which bytes",
      [
        [
          "Model",
          <Link
            key="model"
            to="/models/$modelName"
            params={{ modelName: inference.modelName }}
            className="text-accent hover:underline"
          >
            {inference.modelName}, version {inference.version}
          </Link>,
        ],
        ["SHA-256", <Digest key="digest" value={inference.digest} label="Copy the model's digest" />],
        modelVersion?.file?.source == null ? undefined : ["Source", modelVersion.file.source],
        modelVersion?.withdrawnReason == null
          ? undefined
          : [
              "Withdrawn since",
              <span key="why" className="text-bad">
                {modelVersion.withdrawnReason}
              </span>,
            ],
      ],
    ],
    [
      "How it was computed",
      [
        ["By", inference.provider === "CUDA" ? "the GPU" : inference.provider === "CPU" ? "the CPU" : "–"],
        load?.fellBack == null
          ? undefined
          : [
              "Fell back",
              <span key="fell" className="text-warn">
                {load.fellBack}
              </span>,
            ],
        inference.queueUs == null
          ? undefined
          : ["Waited", <Duration key="queue" milliseconds={inference.queueUs / 1000} />],
        inference.computeUs == null
          ? undefined
          : ["Computed", <Duration key="compute" milliseconds={inference.computeUs / 1000} />],
        inference.batchRows == null
          ? undefined
          : [
              "Rows",
              `${inference.batchRows} together${inference.bucket == null || inference.bucket === inference.batchRows ? "" : `, filled up to ${inference.bucket}`}`,
            ],
        load ? ["Loaded", <Time key="loaded" value={load.history.createdAt} />] : undefined,
        load
          ? [
              "Options",
              <code key="options" className="text-xs">
                {load.options}
              </code>,
            ]
          : undefined,
        load
          ? ["Placement", load.placement.map((one) => `${one.nodes} nodes on ${one.provider}`).join(", ")]
          : undefined,
        load
          ? [
              "Machine",
              <span key="machine" className="text-xs">
                {load.machine}
              </span>,
            ]
          : undefined,
        load
          ? [
              "Runtime",
              <span key="runtime" className="text-xs">
                {load.runtime}
              </span>,
            ]
          : undefined,
        [
          "Worker",
          <code key="worker" className="text-xs">
            {inference.workerId}
          </code>,
        ],
        inference.endedPosition == null
          ? undefined
          : ["Event", <PositionLink key="ended" position={inference.endedPosition} />],
      ],
    ],
    [
      "Fingerprint",
      [
        inference.fingerprint == null
          ? ["None", "it came to no answer"]
          : ["SHA-256", <Digest key="fingerprint" value={inference.fingerprint} label="Copy the fingerprint" />],
      ],
    ],
  ];
  return (
    <aside aria-label="Trace" className="min-w-0">
      <Panel title="Trace" hint="From the answer back to everything that it came of" isFlush>
        <ol>
          {steps.map(([name, facts], place) => (
            <li key={name} className="relative flex gap-3 px-4 pt-3 pb-3">
              {place < steps.length - 1 && (
                <span aria-hidden className="absolute top-7 bottom-[-0.75rem] left-[1.32rem] w-px bg-line" />
              )}
              <span
                aria-hidden
                className="z-[1] mt-1 size-2.5 shrink-0 rounded-full border-2 border-accent bg-surface"
              />
              <div className="min-w-0 flex-1">
                <h3 className="mb-1.5 text-[13px] font-medium">{name}</h3>
                <Facts facts={facts} />
                {name === "Fingerprint" && (
                  <p className="mt-1.5 text-xs text-muted">
                    One digest over all that may change the answer&apos;s bits.
                  </p>
                )}
              </div>
            </li>
          ))}
        </ol>
        <div className="border-t p-4">
          <p className="mb-1.5 text-xs text-muted">Compute recorded answers again, on a copy of the data:</p>
          <CodeBlock
            label="command"
            code={`timeloom inference verify \\\n  --model ${inference.modelName} --last 1000`}
          />
        </div>
      </Panel>
    </aside>
  );
}

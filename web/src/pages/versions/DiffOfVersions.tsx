import { useMemo } from "react";
import { Badge, DiffView, EmptyState, Icon } from "@/ui";
import { type DefinitionDiff, type Line, type NodeChange, diffDefinitions } from "./diff";

export interface DiffOfVersionsProps {
  left: unknown;
  right: unknown;
  leftName: string;
  rightName: string;
}

const TONE = { added: "good", removed: "bad", changed: "warn" } as const;

/** What differs between two definitions: nodes, lines between them, and the rest. */
export function DiffOfVersions({ left, right, leftName, rightName }: DiffOfVersionsProps) {
  const diff = useMemo(() => diffDefinitions(left, right), [left, right]);
  if (diff.isSame)
    return (
      <EmptyState icon="check" title="Nothing differs">
        {leftName} and {rightName} are the same, node by node.
      </EmptyState>
    );
  return (
    <div className="flex flex-col gap-4 p-4 md:p-6">
      <Summary diff={diff} />
      {diff.nodes.map((node) => (
        <Node key={`${node.kind} ${node.name}`} node={node} />
      ))}
      {diff.addedLines.length + diff.removedLines.length > 0 && (
        <section aria-label="Connections" className="rounded-lg border bg-surface">
          <h3 className="border-b px-3 py-2 text-[13px] font-medium">Connections</h3>
          <ul className="divide-y text-[13px]">
            {diff.removedLines.map((line) => (
              <OneLine key={`- ${JSON.stringify(line)}`} line={line} isGone />
            ))}
            {diff.addedLines.map((line) => (
              <OneLine key={`+ ${JSON.stringify(line)}`} line={line} />
            ))}
          </ul>
        </section>
      )}
      {diff.rest.length > 0 && (
        <section aria-label="Settings and the rest" className="rounded-lg border bg-surface">
          <h3 className="border-b px-3 py-2 text-[13px] font-medium">Settings and the rest</h3>
          <DiffView label="Changes of settings and the rest" changes={diff.rest} />
        </section>
      )}
    </div>
  );
}

function Summary({ diff }: { diff: DefinitionDiff }) {
  const count = (kind: NodeChange["kind"]) => diff.nodes.filter((node) => node.kind === kind).length;
  const parts = (["added", "removed", "changed"] as const).filter((kind) => count(kind) > 0);
  return (
    <p role="status" className="flex flex-wrap items-center gap-2 text-[13px] text-muted">
      {parts.map((kind) => (
        <Badge key={kind} tone={TONE[kind]}>
          {count(kind)} {count(kind) === 1 ? "node" : "nodes"} {kind}
        </Badge>
      ))}
      {diff.addedLines.length + diff.removedLines.length > 0 && (
        <Badge>
          {diff.addedLines.length + diff.removedLines.length === 1
            ? "1 connection"
            : `${diff.addedLines.length + diff.removedLines.length} connections`}
        </Badge>
      )}
      {diff.movedCount > 0 && (
        <span>
          {diff.movedCount} {diff.movedCount === 1 ? "node is" : "nodes are"} drawn elsewhere
        </span>
      )}
    </p>
  );
}

function Node({ node }: { node: NodeChange }) {
  return (
    <section aria-label={`Node ${node.name}`} className="overflow-hidden rounded-lg border bg-surface">
      <h3 className="flex flex-wrap items-center gap-2 px-3 py-2 text-[13px]">
        <Badge tone={TONE[node.kind]}>{node.kind}</Badge>
        <span className="min-w-0 font-medium break-words">{node.name}</span>
        {node.was !== undefined && <span className="text-muted">was {node.was}</span>}
        <span className="ml-auto font-mono text-xs break-all text-muted">{node.type}</span>
      </h3>
      {node.changes.length > 0 && (
        <div className="border-t">
          <DiffView label={`Changes of ${node.name}`} changes={node.changes} />
        </div>
      )}
    </section>
  );
}

function OneLine({ line, isGone }: { line: Line; isGone?: boolean }) {
  return (
    <li className="flex flex-wrap items-center gap-2 px-3 py-1.5">
      <Badge tone={isGone === true ? "bad" : "good"}>{isGone === true ? "removed" : "added"}</Badge>
      <span>{line.from}</span>
      <Icon name="right" className="size-3 text-muted" />
      <span className="sr-only">to</span>
      <span>{line.to}</span>
      {line.detail !== "" && <span className="text-muted">({line.detail})</span>}
    </li>
  );
}

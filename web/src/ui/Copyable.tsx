import { CopyButton } from "./CopyButton";

/** An id or a digest: as much of it as there is room for, and all of it to be copied. */
export function Copyable({ text, label }: { text: string; label: string }) {
  return (
    <span className="flex min-w-0 items-center gap-1">
      <code className="truncate text-xs" title={text}>
        {text}
      </code>
      <span className="-my-1.5 shrink-0">
        <CopyButton text={text} label={label} />
      </span>
    </span>
  );
}

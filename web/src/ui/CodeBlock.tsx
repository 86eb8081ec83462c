import { CopyButton } from "./CopyButton";

/** Text for a terminal or a program, with a button that copies it. */
export function CodeBlock({ label, code }: { label: string; code: string }) {
  return (
    <div className="flex items-start gap-1 rounded-md border bg-sunken text-left">
      <pre
        tabIndex={0}
        role="region"
        aria-label={label}
        className="min-w-0 flex-1 overflow-x-auto px-3 py-2 font-mono text-[12.5px] leading-5 text-text"
      >
        {code}
      </pre>
      <span className="p-1">
        <CopyButton text={code} label={`Copy ${label}`} />
      </span>
    </div>
  );
}

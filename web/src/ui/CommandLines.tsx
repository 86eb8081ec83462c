import { CopyButton } from "./CopyButton";

/** Lines for a terminal or a program, to be copied. */
export function CommandLines({ label, text }: { label: string; text: string }) {
  return (
    <div className="flex items-start gap-1 rounded-md border bg-sunken text-left">
      <pre
        tabIndex={0}
        role="region"
        aria-label={label}
        className="min-w-0 flex-1 overflow-x-auto px-3 py-2 font-mono text-[12.5px] leading-5 text-text"
      >
        {text}
      </pre>
      <div className="p-1">
        <CopyButton text={text} label={`Copy: ${label}`} />
      </div>
    </div>
  );
}

import { Fragment } from "react";

/** Keys as people read them: `Ctrl+k`, or `g e` for one after the other. */
export function Kbd({ keys }: { keys: string }) {
  return (
    <span className="inline-flex items-center gap-1 text-muted">
      {keys.split(" ").map((press, place) => (
        <Fragment key={`${press}-${String(place)}`}>
          <kbd className="rounded border border-line bg-sunken px-1 font-mono text-[11px] leading-4 text-muted">
            {press
              .replace("ArrowUp", "↑")
              .replace("ArrowDown", "↓")
              .replace("ArrowLeft", "←")
              .replace("ArrowRight", "→")}
          </kbd>
        </Fragment>
      ))}
    </span>
  );
}

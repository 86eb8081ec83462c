import { type ComponentType, useEffect, useState } from "react";
import { Button, Dialog, Skeleton } from "../ui";
import type { OpenPaletteProps } from "./palette/OpenPalette";
import { HINT, INPUT } from "./palette-input";

let loaded: ComponentType<OpenPaletteProps> | undefined;

async function load(): Promise<ComponentType<OpenPaletteProps>> {
  loaded ??= (await import("./palette/OpenPalette")).OpenPalette;
  return loaded;
}

/** Begins to load the palette where somebody is about to open it. What fails is tried again, and told, when it is open. */
export function preparePalette(): void {
  void load().catch(() => undefined);
}

/** Finds or does something. What it is made of is loaded when it is first wanted. */
export function Palette({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  return (
    <Dialog title="Find or do something" hideTitle isOpen={isOpen} onClose={onClose}>
      <Body onClose={onClose} />
    </Dialog>
  );
}

function Body({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const [Open, setOpen] = useState(() => loaded);
  const [tries, setTries] = useState(0);
  const [failedTry, setFailedTry] = useState<number>();
  useEffect(() => {
    let isGone = false;
    load().then(
      (found) => {
        if (!isGone) setOpen(() => found);
      },
      () => {
        if (!isGone) setFailedTry(tries);
      },
    );
    return () => {
      isGone = true;
    };
  }, [tries]);
  if (Open) return <Open text={text} onText={setText} onClose={onClose} />;
  // What is written meanwhile is looked for as soon as it can be.
  return (
    <>
      <input
        autoFocus
        aria-label="Find or do something"
        value={text}
        placeholder={HINT}
        className={INPUT}
        onChange={(event) => setText(event.target.value)}
      />
      {failedTry === tries ? (
        <div role="alert" className="flex flex-col items-center gap-3 px-4 py-8 text-center text-sm">
          <p>The palette could not be loaded: the server gave no answer, or was updated meanwhile.</p>
          <div className="flex gap-2">
            <Button onClick={() => setTries(tries + 1)}>Try again</Button>
            <Button onClick={() => location.reload()}>Load the page anew</Button>
          </div>
        </div>
      ) : (
        <div className="flex flex-col gap-3 p-4">
          <Skeleton className="h-4 w-1/3" />
          <Skeleton className="h-4 w-1/2" />
          <Skeleton className="h-4 w-2/5" />
        </div>
      )}
    </>
  );
}

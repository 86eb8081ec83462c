import { Link } from "@tanstack/react-router";
import { Icon, type IconName } from "@/ui";

interface Way {
  icon: IconName;
  title: string;
  text: string;
  open: "import" | "new";
}

const WAYS: readonly Way[] = [
  {
    icon: "external",
    title: "Bring workflows along",
    text: "Files that n8n exports run as they are. Drop one or many; each is told what it lacks.",
    open: "import",
  },
  {
    icon: "play",
    title: "Try an example",
    text: "A small workflow that asks nobody for anything. Take it, run it, and go back and forth in what happened.",
    open: "new",
  },
  {
    icon: "plus",
    title: "Make a new one",
    text: "Begin with a start by hand and add nodes in the editor.",
    open: "new",
  },
];

/** What somebody sees who has nothing yet. */
export function Newcomer({ mayWrite }: { mayWrite: boolean }) {
  return (
    <section aria-labelledby="newcomer" className="mx-auto w-full max-w-3xl px-4 py-10 md:py-16">
      <h2 id="newcomer" className="text-center text-xl font-semibold tracking-tight">
        There is no workflow here yet
      </h2>
      <p className="mx-auto mt-2 max-w-xl text-center text-sm text-muted">
        A workflow takes data from node to node. Whatever happens in it is written down as events, so that each run can
        be looked at, gone back in, forked and verified. This page will tell what needs you
        {mayWrite ? "; to begin, choose one:" : " once somebody who has workflow:write made one."}
      </p>
      {mayWrite && (
        <ul className="mt-6 grid gap-3 md:grid-cols-3">
          {WAYS.map((way) => (
            <li key={way.title}>
              <Link
                to="/workflows"
                search={{ open: way.open }}
                className="flex h-full flex-col gap-1.5 rounded-lg border bg-surface p-4 hover:border-accent"
              >
                <span className="mb-1 w-fit rounded-md bg-accent-soft p-2 text-accent">
                  <Icon name={way.icon} />
                </span>
                <span className="text-sm font-semibold">{way.title}</span>
                <span className="text-[13px] text-muted">{way.text}</span>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

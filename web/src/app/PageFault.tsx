import { type ErrorComponentProps, useRouter } from "@tanstack/react-router";
import { Button, Icon } from "../ui";
import { usePageTitle } from "./title";

/** In place of a page that broke. The rest of the app goes on. */
export function PageFault({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  usePageTitle("This page broke");
  // A page that the server does not have any more was loaded before the server was updated.
  const message = error instanceof Error ? error.message : String(error);
  const isOutdated = /dynamically imported module|Importing a module|preload CSS/i.test(message);
  const again = () => {
    if (isOutdated) location.reload();
    reset();
    void router.invalidate();
  };
  return (
    <div role="alert" className="mx-auto flex max-w-lg flex-col items-center gap-2 px-4 py-16 text-center">
      <span className="rounded-full bg-bad-soft p-3 text-bad">
        <Icon name="warning" className="size-5" />
      </span>
      <h1 className="text-[15px] font-semibold">
        {isOutdated ? "This page is newer on the server" : "This page broke"}
      </h1>
      <p className="font-mono text-sm break-words">{message}</p>
      <p className="text-sm text-muted">
        {isOutdated
          ? "Load the app anew to get it."
          : "Nothing was changed by it. Try again; if it stays, report the message above."}
      </p>
      <Button kind="primary" onClick={again}>
        {isOutdated ? "Load anew" : "Try again"}
      </Button>
    </div>
  );
}

import { Toast } from "radix-ui";
import { useSyncExternalStore } from "react";
import { type ToastShown, toasts } from "../api/toasts";
import { Button, CopyButton, Icon, IconButton } from "../ui";

const TONES = { good: ["check", "text-good"], bad: ["warning", "text-bad"], info: ["info", "text-info"] } as const;
/** What failed stays long enough to be read and its id copied. */
const SHOWN_MS = { good: 5_000, info: 7_000, bad: 20_000 };

export function Toasts() {
  const shown = useSyncExternalStore(toasts.subscribe, toasts.all);
  return (
    <Toast.Provider swipeDirection="right" label="Message">
      {shown.map((one) => (
        <Shown key={one.id} {...one} />
      ))}
      <Toast.Viewport className="fixed right-4 bottom-20 z-50 flex w-[calc(100%-2rem)] max-w-sm flex-col gap-2 outline-none md:bottom-4" />
    </Toast.Provider>
  );
}

function Shown({ id, tone, title, text, advice, requestId, action }: ToastShown) {
  const [icon, colour] = TONES[tone];
  return (
    <Toast.Root
      type={tone === "bad" ? "foreground" : "background"}
      duration={SHOWN_MS[tone]}
      onOpenChange={(isOpen) => {
        if (!isOpen) toasts.dismiss(id);
      }}
      className="flex items-start gap-2.5 rounded-lg border bg-raised p-3 text-sm shadow-raised"
    >
      <Icon name={icon} className={`mt-0.5 ${colour}`} />
      <div className="min-w-0 flex-1">
        <Toast.Title className="font-medium">{title}</Toast.Title>
        <Toast.Description asChild>
          <div className="text-[13px] text-muted">
            {text !== undefined && text !== "" && <p className="break-words">{text}</p>}
            {advice !== undefined && advice !== "" && <p>{advice}</p>}
            {requestId !== undefined && (
              <p className="flex items-center gap-1 font-mono text-[11px]">
                <span className="truncate">Request {requestId}</span>
                <CopyButton text={requestId} label="Copy the request's id" />
              </p>
            )}
          </div>
        </Toast.Description>
        {action && (
          <Toast.Action altText={action.label} asChild>
            <Button size="small" className="mt-1.5" onClick={action.run}>
              {action.label}
            </Button>
          </Toast.Action>
        )}
      </div>
      <Toast.Close asChild>
        <IconButton size="small" label="Close the message" icon={<Icon name="close" />} />
      </Toast.Close>
    </Toast.Root>
  );
}

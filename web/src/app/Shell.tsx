import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { liveClient, useConnection } from "../api/live";
import { toast } from "../api/toasts";
import { useViewer } from "../api/viewer";
import { Button, Dialog, Icon, IconButton, Kbd, Menu } from "../ui";
import { KeysHelp } from "./KeysHelp";
import { listenToKeys, useKeys } from "./keys";
import { Palette, preparePalette } from "./Palette";
import { PLACES, placeOf } from "./places";
import { chooseTheme, useTheme } from "./theme";
import { Toasts } from "./Toasts";

/** What is around every page. */
export function Shell() {
  const [open, setOpen] = useState<"palette" | "keys" | "menu" | undefined>();
  const navigate = useNavigate();
  const close = () => setOpen(undefined);
  useEffect(listenToKeys, []);
  useEffect(() => void liveClient(), []);
  useKeys(
    [
      { keys: "Ctrl+k", does: "find or do something", run: () => setOpen("palette"), inFields: true },
      { keys: "?", does: "show the keys", run: () => setOpen("keys") },
      ...PLACES.map((place) => ({
        keys: place.keys,
        does: `go to ${place.label}`,
        run: () => void navigate({ to: place.to }),
      })),
    ],
    "Everywhere",
  );
  const path = useRouterState({ select: (state) => state.location.pathname });
  useFocusOnNewPage(path);
  return (
    <div className="flex h-full flex-col md:flex-row">
      <a
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("main")?.focus();
        }}
        className="absolute top-2 left-2 z-50 -translate-y-16 rounded-md bg-accent px-3 py-2 text-on-accent focus:translate-y-0"
      >
        Skip to the page
      </a>
      <SideBar onFind={() => setOpen("palette")} onKeys={() => setOpen("keys")} />
      <div className="flex min-h-0 min-w-0 flex-1 flex-col">
        <ConnectionNotice />
        <main id="main" tabIndex={-1} className="flex min-h-0 flex-1 flex-col overflow-auto outline-none">
          <Outlet />
        </main>
      </div>
      <BottomBar onMenu={() => setOpen("menu")} onFind={() => setOpen("palette")} />
      <Palette isOpen={open === "palette"} onClose={close} />
      <KeysHelp isOpen={open === "keys"} onClose={close} />
      <Dialog title="Menu" size="small" isOpen={open === "menu"} onClose={close}>
        <nav aria-label="All pages">
          <Places onGo={close} />
        </nav>
        <div className="mt-3 flex justify-end border-t pt-3">
          <AccountMenu />
        </div>
      </Dialog>
      <Toasts />
    </div>
  );
}

/** Readers and keyboards begin at the new page, not where the old one was left. */
function useFocusOnNewPage(path: string): void {
  const before = useRef(path);
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    const main = document.getElementById("main");
    if (main && !main.contains(document.activeElement)) main.focus({ preventScroll: true });
  }, [path]);
}

const LINK =
  "flex items-center gap-2.5 rounded-md px-2.5 py-1.5 text-[13px] text-muted hover:bg-hover hover:text-text aria-[current]:bg-hover aria-[current]:font-medium aria-[current]:text-text";

function usePlace(): string | undefined {
  return useRouterState({ select: (state) => placeOf(state.location.pathname)?.to });
}

function Places({ onGo }: { onGo?: () => void }) {
  const present = usePlace();
  return (
    <ul className="flex flex-col gap-0.5">
      {PLACES.map((place) => (
        <li key={place.to}>
          <Link to={place.to} aria-current={place.to === present ? "page" : undefined} onClick={onGo} className={LINK}>
            <Icon name={place.icon} />
            {place.label}
          </Link>
        </li>
      ))}
    </ul>
  );
}

function SideBar({ onFind, onKeys }: { onFind: () => void; onKeys: () => void }) {
  return (
    <header className="hidden w-52 shrink-0 flex-col border-r bg-surface md:flex">
      <div className="flex items-center gap-2 px-4 py-3.5 font-semibold tracking-tight">
        <img src="/icons/timeloom.svg" alt="" className="size-6" />
        Timeloom
      </div>
      <div className="px-2 pb-2">
        <Button
          size="small"
          className="w-full"
          onPointerEnter={preparePalette}
          onFocus={preparePalette}
          onClick={onFind}
        >
          <Icon name="search" />
          <span className="flex-1 text-left">Find</span>
          <Kbd keys="Ctrl+k" />
        </Button>
      </div>
      <nav aria-label="Pages" className="min-h-0 flex-1 overflow-auto px-2">
        <Places />
      </nav>
      <div className="flex items-center gap-1 border-t p-2">
        <AccountMenu />
        <span className="flex-1" />
        <ConnectionDot />
        <IconButton label="Keys" icon={<span aria-hidden>?</span>} onClick={onKeys} />
      </div>
    </header>
  );
}

const ON_PHONE = ["/", "/workflows", "/executions"] as const;

function BottomBar({ onMenu, onFind }: { onMenu: () => void; onFind: () => void }) {
  const item = "flex flex-1 flex-col items-center gap-0.5 py-2 text-[11px] text-muted aria-[current]:text-accent";
  const present = usePlace();
  const onPhone = PLACES.filter((place) => (ON_PHONE as readonly string[]).includes(place.to));
  const isElsewhere = present !== undefined && !onPhone.some((place) => place.to === present);
  return (
    <nav
      aria-label="Pages, in short"
      className="flex shrink-0 border-t bg-surface pb-[env(safe-area-inset-bottom)] md:hidden"
    >
      {onPhone.map((place) => (
        <Link key={place.to} to={place.to} aria-current={place.to === present ? "page" : undefined} className={item}>
          <Icon name={place.icon} />
          {place.label}
        </Link>
      ))}
      <button type="button" className={item} onPointerDown={preparePalette} onClick={onFind}>
        <Icon name="search" />
        Find
      </button>
      <button type="button" aria-current={isElsewhere || undefined} className={item} onClick={onMenu}>
        <Icon name="menu" />
        Menu
      </button>
    </nav>
  );
}

function AccountMenu() {
  const { viewer } = useViewer();
  const { choice } = useTheme();
  const name = viewer?.account?.name ?? (viewer?.actor.kind === "local" ? "This machine" : "Account");
  const canSignOut = viewer?.actor.kind !== "local";
  const themes = (["system", "light", "dark"] as const).map((theme) => ({
    label: `Theme: ${theme === "system" ? "as the machine" : theme}`,
    checked: theme === choice,
    run: () => chooseTheme(theme),
  }));
  return (
    <Menu
      align="start"
      heading={viewer?.account?.email ?? name}
      trigger={
        <Button kind="quiet" size="small" className="max-w-28" aria-label={`Account: ${name}`}>
          <Icon name="user" />
          <span className="truncate">{name}</span>
        </Button>
      }
      items={[
        ...themes,
        "line",
        { label: "GraphiQL", icon: <Icon name="api" />, run: () => location.assign("/graphiql") },
        ...(canSignOut
          ? [
              { label: "Change the password", run: () => location.assign("/account/password") },
              { label: "Sign out", run: () => location.assign("/sign-out") },
            ]
          : []),
      ]}
    />
  );
}

const DOTS = {
  open: ["bg-good", "Changes come by themselves"],
  connecting: ["bg-warn", "Connecting"],
  lost: ["bg-bad", "Not connected"],
} as const;

function ConnectionDot() {
  const state = useConnection();
  const [colour, words] = DOTS[state];
  return (
    <span role="img" aria-label={words} title={words} className="p-1">
      <span className={`block size-2 rounded-full ${colour}`} />
    </span>
  );
}

/** Says that the connection is lost, and once that it is back. */
function ConnectionNotice() {
  const state = useConnection();
  const before = useRef(state);
  useEffect(() => {
    if (before.current === "lost" && state === "open")
      toast({ tone: "good", title: "Connected again", text: "What happened meanwhile is here." });
    before.current = state;
  }, [state]);
  return (
    <div role="status">
      {state === "lost" && (
        <p className="flex items-center gap-2 bg-warn-soft px-4 py-1.5 text-[13px] text-warn md:px-6">
          <Icon name="warning" />
          The connection to the server is lost. What you see may be old; it goes on by itself when the server is back.
        </p>
      )}
    </div>
  );
}

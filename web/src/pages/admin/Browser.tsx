import { useState } from "react";
import { toast } from "@/api";
import { isInstalled, useInstall } from "@/app/install";
import { type ThemeChoice, chooseTheme, useTheme } from "@/app/theme";
import { Button, Facts, Field, Select, instant } from "@/ui";
import { SectionHead } from "./parts";

const SPLIT = "timeloom.split.";
const splits = () => Object.keys(localStorage).filter((key) => key.startsWith(SPLIT));

/** What this browser keeps for itself. */
export function Browser() {
  const { choice, shown } = useTheme();
  const [count, setCount] = useState(() => splits().length);
  const zone = Intl.DateTimeFormat().resolvedOptions();
  return (
    <>
      <SectionHead title="This browser">What is kept here, and for nobody else: never data.</SectionHead>
      <div className="flex max-w-xl flex-col gap-5 overflow-auto p-4 md:p-6">
        <Field label="Theme" hint={choice === "system" ? `It follows the machine, which is ${shown}.` : undefined}>
          <Select<ThemeChoice>
            value={choice}
            onChange={chooseTheme}
            choices={[
              { value: "system", label: "As the machine" },
              { value: "light", label: "Light" },
              { value: "dark", label: "Dark" },
            ]}
          />
        </Field>
        <Install />
        <div className="flex flex-wrap items-center gap-3 text-sm">
          <span className="min-w-0 flex-1">
            How panes are split <span className="text-muted">is kept for {count} of them.</span>
          </span>
          <Button
            disabled={count === 0}
            onClick={() => {
              for (const key of splits()) localStorage.removeItem(key);
              setCount(0);
              toast({ tone: "good", title: "Panes are as at first again" });
            }}
          >
            Forget it
          </Button>
        </div>
        <Facts
          facts={[
            ["Times are shown", `as in ${zone.timeZone}, such as ${instant(new Date(0))}`],
            ["Language", `${zone.locale}, for numbers and dates`],
            ["Changes come", "over one WebSocket, which goes on by itself after a lost connection"],
          ]}
        />
      </div>
    </>
  );
}

function Install() {
  const install = useInstall();
  return (
    <div className="flex flex-wrap items-center gap-3 text-sm">
      <span className="min-w-0 flex-1">
        As an app of its own{" "}
        <span className="text-muted">
          {isInstalled()
            ? "it is installed, and you are in it."
            : install
              ? "it has a window and an icon, and opens without a network."
              : "it can be installed from the browser's menu, where the browser can do that."}
        </span>
      </span>
      {install && !isInstalled() && <Button onClick={install}>Install</Button>}
    </div>
  );
}

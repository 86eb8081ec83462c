import { useState } from "react";
import { client, faultOf, faultText } from "@/api";
import { Button, Dialog, Field, Input } from "@/ui";
import { EventsHeadAt } from "./documents";

/** Goes to a place in the log, by its position or by the time. */
export function JumpDialog({
  isOpen,
  onClose,
  onJump,
}: {
  isOpen: boolean;
  onClose: () => void;
  onJump: (position: string) => void;
}) {
  const [text, setText] = useState("");
  const [time, setTime] = useState("");
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const go = async () => {
    setProblem(undefined);
    const digits = text.trim().replace(/^#/, "");
    if (digits !== "") {
      if (!/^\d{1,18}$/.test(digits) || digits === "0")
        setProblem("A position is a whole number, 1 for the first event.");
      else onJump(digits);
      return;
    }
    const date = new Date(time);
    if (Number.isNaN(date.getTime())) {
      setProblem("Give a position, or a day and a time.");
      return;
    }
    setBusy(true);
    const { data, error } = await client.query(EventsHeadAt, { time: date.toISOString() }).toPromise();
    setBusy(false);
    if (error) setProblem(faultText(faultOf(error)));
    else if (data?.head.position === "0") setProblem("The log begins later.");
    else if (data) onJump(data.head.position);
  };
  const footer = (
    <>
      <Button onClick={onClose}>Not now</Button>
      <Button kind="primary" isBusy={isBusy} onClick={() => void go()}>
        Go there
      </Button>
    </>
  );
  return (
    <Dialog title="Go to a place in the log" size="small" isOpen={isOpen} onClose={onClose} footer={footer}>
      <form
        className="flex flex-col gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          void go();
        }}
      >
        <Field label="Position" error={problem}>
          <Input
            autoFocus
            inputMode="numeric"
            placeholder="such as 1204"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </Field>
        <Field label="Or a time" hint="In your time zone. The list begins with the newest event recorded by then.">
          <Input
            type="datetime-local"
            step={1}
            value={time}
            onChange={(event) => {
              setTime(event.target.value);
              setText("");
            }}
          />
        </Field>
        <button type="submit" hidden />
      </form>
    </Dialog>
  );
}

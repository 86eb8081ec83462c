import { useState } from "react";
import { Field, IconButton, Icon, Input, instant } from "@/ui";

/** As of when: a position of the log or a time; empty is now. */
export function MomentField({
  value,
  onChange,
}: {
  value: string | undefined;
  onChange: (value: string | undefined) => void;
}) {
  const isPosition = value !== undefined && /^\d+$/.test(value);
  const [text, setText] = useState(value === undefined ? "" : isPosition ? `#${value}` : localOf(value));
  const [problem, setProblem] = useState<string>();
  const take = () => {
    const said = text.trim();
    const digits = /^#(\d+)$/.exec(said)?.[1];
    const date = new Date(said);
    const isTime = digits === undefined && said !== "";
    if (isTime && Number.isNaN(date.getTime())) {
      setProblem("A time such as 2026-03-31 or 2026-03-31 14:00, or #position.");
      return;
    }
    onChange(isTime ? date.toISOString() : digits);
    setProblem(undefined);
  };
  return (
    <Field label="As of" hideLabel className="min-w-40 lg:w-52" error={problem}>
      <div className="relative">
        <MomentInput
          text={text}
          setText={setText}
          take={take}
          title={value !== undefined && !isPosition ? instant(value) : undefined}
        />
        {value !== undefined && (
          <span className="absolute inset-y-0 right-0.5 flex items-center">
            <IconButton
              size="small"
              label="Back to now"
              icon={<Icon name="close" className="size-3" />}
              onClick={() => {
                setText("");
                onChange(undefined);
              }}
            />
          </span>
        )}
      </div>
    </Field>
  );
}

function MomentInput({
  text,
  setText,
  take,
  title,
}: {
  text: string;
  setText: (text: string) => void;
  take: () => void;
  title: string | undefined;
}) {
  return (
    <Input
      placeholder="As of now"
      title={title ?? "A time such as 2026-03-31 14:00, or a position such as #1204"}
      value={text}
      onChange={(event) => setText(event.target.value)}
      onBlur={take}
      onKeyDown={(event) => event.key === "Enter" && take()}
    />
  );
}

function localOf(time: string): string {
  const date = new Date(time);
  const two = (number: number) => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return clock === "00:00" ? day : `${day} ${clock}`;
}

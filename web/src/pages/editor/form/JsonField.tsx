import { useState } from "react";
import { Textarea, classes } from "@/ui";
import { isSame } from "../model/merge";

export interface JsonFieldProps {
  value: unknown;
  onChange: (value: unknown) => void;
  label?: string;
  rows?: number;
  /** Says what is wrong with a value that is JSON, but not what belongs here. */
  check?: (value: unknown) => string | undefined;
}

/** A value as JSON. It is taken over whenever it can be read; until then the one before stays. */
export function JsonField({ value, onChange, label, rows, check }: JsonFieldProps) {
  const [written, setWritten] = useState<{ of: unknown; text: string }>();
  // What somebody writes keeps its spaces and line breaks, until the value changes elsewhere.
  const text = written && isSame(written.of, value) ? written.text : textOf(value);
  const problem = problemOf(text, check);
  const change = (next: string) => {
    const read = readJson(next);
    const isFit = read.kind === "value" && check?.(read.value) === undefined;
    setWritten({ of: isFit ? read.value : read.kind === "empty" ? undefined : value, text: next });
    if (isFit) onChange(read.value);
    else if (read.kind === "empty") onChange(undefined);
  };
  return (
    <>
      <Textarea
        aria-label={label}
        aria-invalid={problem !== undefined || undefined}
        spellCheck={false}
        rows={rows ?? Math.min(16, Math.max(2, text.split("\n").length + 1))}
        value={text}
        onChange={(event) => change(event.target.value)}
        className={classes("font-mono !text-[12.5px] leading-5", problem !== undefined && "!border-bad")}
      />
      {problem !== undefined && (
        <p role="alert" className="text-xs text-bad">
          {problem} What was there before is kept until it is right.
        </p>
      )}
    </>
  );
}

type Read = { kind: "empty" } | { kind: "value"; value: unknown } | { kind: "wrong"; message: string };

/** Reads what may be JSON. */
export function readJson(text: string): Read {
  if (text.trim() === "") return { kind: "empty" };
  try {
    return { kind: "value", value: JSON.parse(text) as unknown };
  } catch (error) {
    return { kind: "wrong", message: error instanceof Error ? error.message : String(error) };
  }
}

function problemOf(text: string, check: JsonFieldProps["check"]): string | undefined {
  const read = readJson(text);
  if (read.kind === "wrong") return `This is no JSON: ${read.message}.`;
  return read.kind === "value" ? check?.(read.value) : undefined;
}

function textOf(value: unknown): string {
  return value === undefined ? "" : JSON.stringify(value, undefined, 2);
}

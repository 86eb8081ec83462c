import type { UserError } from "@/api";
import { Field, Input } from "@/ui";

/** What is wrong with a field, as the server says it by the field's path. */
export function problemAt(errors: readonly UserError[], field: string): string | undefined {
  return errors.find((error) => error.path?.[1] === field)?.message;
}

/** What is wrong and belongs to none of these fields. */
export function OtherProblems({ errors, fields }: { errors: readonly UserError[]; fields: readonly string[] }) {
  return errors
    .filter((error) => !fields.includes(error.path?.[1] ?? ""))
    .map((error) => (
      <p key={error.message} role="alert" className="text-sm text-bad">
        {error.message}
      </p>
    ));
}

interface NumberFieldProps {
  label: string;
  hint?: string;
  value: string;
  onChange: (value: string) => void;
  error?: string;
  placeholder?: string;
}

/** A whole number as it is written; what it means is looked at when it is sent. */
export function NumberField({ label, hint, value, onChange, error, placeholder }: NumberFieldProps) {
  const own = value.trim() === "" || /^\d+$/.test(value.trim()) ? undefined : "It has to be a whole number.";
  return (
    <Field label={label} hint={hint} error={error ?? own}>
      <Input
        inputMode="numeric"
        value={value}
        placeholder={placeholder}
        onChange={(event) => onChange(event.target.value)}
      />
    </Field>
  );
}

/** A number that was written, or nothing. */
export function numberOf(text: string): number | undefined {
  return /^\d+$/.test(text.trim()) ? Number(text.trim()) : undefined;
}

/** Whether all of these are empty or whole numbers. */
export function areNumbers(...texts: string[]): boolean {
  return texts.every((text) => text.trim() === "" || /^\d+$/.test(text.trim()));
}

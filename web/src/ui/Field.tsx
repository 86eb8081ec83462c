import {
  type InputHTMLAttributes,
  type ReactNode,
  type Ref,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
  createContext,
  use,
  useId,
} from "react";
import { classes } from "./class-names";

interface FieldIds {
  id: string;
  describedBy: string | undefined;
  isInvalid: boolean;
}

const FieldContext = createContext<FieldIds | undefined>(undefined);
const BOX =
  "w-full rounded-md border border-line-strong/60 bg-surface px-2.5 text-sm text-text placeholder:text-muted disabled:opacity-60 aria-invalid:border-bad";

export interface FieldProps {
  label: ReactNode;
  hint?: ReactNode;
  /** What is wrong with what is in it. */
  error?: string;
  /** Keeps the label for those who do not see, where what is around it tells the rest. */
  hideLabel?: boolean;
  className?: string;
  children: ReactNode;
}

/** A label and what belongs to it. What is inside finds its ids by itself. */
export function Field({ label, hint, error, hideLabel, className, children }: FieldProps) {
  const id = useId();
  const parts = [hint !== undefined && `${id}-hint`, error !== undefined && `${id}-error`].filter(Boolean);
  const describedBy = parts.length > 0 ? parts.join(" ") : undefined;
  return (
    <FieldContext value={{ id, describedBy, isInvalid: error !== undefined }}>
      <div className={classes("flex flex-col gap-1", className)}>
        <label htmlFor={id} className={hideLabel === true ? "sr-only" : "text-[13px] font-medium"}>
          {label}
        </label>
        {children}
        {hint !== undefined && (
          <p id={`${id}-hint`} className="text-xs text-muted">
            {hint}
          </p>
        )}
        {error !== undefined && (
          <p id={`${id}-error`} role="alert" className="text-xs text-bad">
            {error}
          </p>
        )}
      </div>
    </FieldContext>
  );
}

export function useFieldAttributes() {
  const field = use(FieldContext);
  if (!field) return {};
  return { id: field.id, "aria-describedby": field.describedBy, "aria-invalid": field.isInvalid || undefined };
}

export function Input({ className, ...rest }: InputHTMLAttributes<HTMLInputElement> & { ref?: Ref<HTMLInputElement> }) {
  return <input {...useFieldAttributes()} {...rest} className={classes(BOX, "h-8", className)} />;
}

export function Textarea({
  className,
  ...rest
}: TextareaHTMLAttributes<HTMLTextAreaElement> & { ref?: Ref<HTMLTextAreaElement> }) {
  return <textarea rows={4} {...useFieldAttributes()} {...rest} className={classes(BOX, "py-1.5", className)} />;
}

export interface Choice<T extends string> {
  value: T;
  label: string;
}

export interface SelectProps<T extends string> extends Omit<
  SelectHTMLAttributes<HTMLSelectElement>,
  "value" | "onChange" | "children"
> {
  value: T;
  choices: readonly Choice<T>[];
  onChange: (value: T) => void;
}

/** One of a few. The browser's own, which works with every keyboard, reader and phone. */
export function Select<T extends string>({ value, choices, onChange, className, ...rest }: SelectProps<T>) {
  return (
    <select
      {...useFieldAttributes()}
      {...rest}
      value={value}
      onChange={(event) => onChange(event.target.value as T)}
      className={classes(BOX, "h-8 pr-1.5", className)}
    >
      {choices.map((choice) => (
        <option key={choice.value} value={choice.value}>
          {choice.label}
        </option>
      ))}
    </select>
  );
}

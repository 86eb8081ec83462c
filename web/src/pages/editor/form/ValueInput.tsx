import { Input, classes } from "@/ui";
import { ExpressionInput } from "../expression/ExpressionInput";
import { isExpression, toExpression, toFixed } from "./expressions";

export interface ValueInputProps {
  node: string;
  label: string;
  value: unknown;
  onChange: (value: unknown) => void;
  placeholder?: string;
}

/** One value in a list: fixed, or an expression. */
export function ValueInput({ node, label, value, onChange, placeholder }: ValueInputProps) {
  return (
    <div className="flex items-start gap-1">
      <div className="min-w-0 flex-1">
        {isExpression(value) ? (
          <ExpressionInput node={node} label={label} value={value.slice(1)} onChange={(text) => onChange(`=${text}`)} />
        ) : (
          <Input
            aria-label={label}
            placeholder={placeholder}
            value={
              typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value)
            }
            onChange={(event) => onChange(event.target.value)}
          />
        )}
      </div>
      <ExpressionSwitch
        label={label}
        isOn={isExpression(value)}
        onToggle={() => onChange(isExpression(value) ? (toFixed(value, "TEXT") ?? "") : toExpression(value))}
      />
    </div>
  );
}

export interface ExpressionSwitchProps {
  label: string;
  isOn: boolean;
  onToggle: () => void;
}

/** Whether a value is fixed or an expression. */
export function ExpressionSwitch({ label, isOn, onToggle }: ExpressionSwitchProps) {
  return (
    <button
      type="button"
      aria-pressed={isOn}
      aria-label={`${label}: expression`}
      title={isOn ? "An expression; press for a fixed value" : "A fixed value; press for an expression"}
      onClick={onToggle}
      className={classes(
        "inline-flex h-8 w-8 shrink-0 items-center justify-center rounded-md border font-mono text-xs italic",
        isOn
          ? "border-accent/60 bg-accent-soft text-accent"
          : "border-transparent text-muted hover:bg-hover hover:text-text",
      )}
    >
      fx
    </button>
  );
}

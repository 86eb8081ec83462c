import { type AnchorHTMLAttributes, type ButtonHTMLAttributes, type ReactNode, type Ref } from "react";
import { classes } from "./class-names";

export type ButtonKind = "primary" | "plain" | "quiet" | "danger";

const BASE =
  "inline-flex shrink-0 items-center justify-center gap-1.5 rounded-md font-medium whitespace-nowrap transition-colors disabled:cursor-not-allowed disabled:opacity-50";
const KINDS: Record<ButtonKind, string> = {
  primary: "bg-accent text-on-accent enabled:hover:brightness-110",
  plain: "border border-line bg-surface text-text enabled:hover:bg-hover",
  quiet: "text-muted enabled:hover:bg-hover enabled:hover:text-text",
  danger: "border border-bad/40 bg-surface text-bad enabled:hover:bg-bad-soft",
};
const SIZES = { small: "h-7 px-2 text-[13px]", normal: "h-8 px-3 text-sm" };

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: ButtonKind;
  size?: keyof typeof SIZES;
  /** Work goes on that it began: it takes no press meanwhile. */
  isBusy?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

export function Button({
  kind = "plain",
  size = "normal",
  isBusy,
  disabled,
  className,
  children,
  ...rest
}: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      disabled={disabled === true || isBusy}
      aria-busy={isBusy}
      className={classes(BASE, KINDS[kind], SIZES[size], className)}
    >
      {isBusy === true && (
        <span aria-hidden className="size-3 animate-spin rounded-full border-2 border-current border-t-transparent" />
      )}
      {children}
    </button>
  );
}

export interface IconButtonProps extends Omit<ButtonProps, "children" | "aria-label"> {
  /** What it does, for those who do not see the icon, and as a hint for those who do. */
  label: string;
  icon: ReactNode;
}

export function IconButton({ label, icon, kind = "quiet", className, size = "normal", ...rest }: IconButtonProps) {
  const box = size === "small" ? "w-7 px-0" : "w-8 px-0";
  return (
    <Button {...rest} kind={kind} size={size} aria-label={label} title={label} className={classes(box, className)}>
      {icon}
    </Button>
  );
}

/** A link out of the app that looks like a button. */
export function LinkButton({ className, children, ...rest }: AnchorHTMLAttributes<HTMLAnchorElement>) {
  return (
    <a
      {...rest}
      className={classes(BASE, SIZES.normal, "border border-line bg-surface text-text hover:bg-hover", className)}
    >
      {children}
    </a>
  );
}

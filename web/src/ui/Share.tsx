/** A share as a bar beside what it belongs to. The number stands beside it: the bar is for the eye alone. */
export function Share({ value, tone = "accent" }: { value: number; tone?: "accent" | "warn" | "bad" }) {
  const share = Math.max(0, Math.min(1, value));
  const colours = { accent: "bg-accent", warn: "bg-warn", bad: "bg-bad" };
  return (
    <span aria-hidden className="block h-1.5 w-full overflow-hidden rounded-full bg-hover">
      <span className={`block h-full rounded-full ${colours[tone]}`} style={{ width: `${share * 100}%` }} />
    </span>
  );
}

import { signed } from "./scores";

/** How much higher a score is; the sign says it too, for those who do not see the colour. */
export function Difference({ value }: { value: number }) {
  const text = signed(value);
  const colour = text === "0.000" ? "text-muted" : value > 0 ? "text-good" : "text-bad";
  return <span className={`whitespace-nowrap tabular-nums ${colour}`}>{text}</span>;
}

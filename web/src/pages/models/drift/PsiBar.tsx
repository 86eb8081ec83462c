import type { DriftVerdict } from "@/gql/schema";
import { barOf } from "./report";

const FILLS: Record<DriftVerdict, string> = {
  DRIFTED: "bg-bad",
  MODERATE: "bg-warn",
  STABLE: "bg-good",
  TOO_FEW: "bg-muted",
};

export interface PsiBarProps {
  psi: number;
  verdict: DriftVerdict;
  bounds: { moderate: number; drifted: number };
}

/** An index beside its bounds. It stands beside the number, which says the same. */
export function PsiBar({ psi, verdict, bounds }: PsiBarProps) {
  const { filled, moderate, drifted } = barOf(psi, bounds);
  const at = (share: number) => `${share * 100}%`;
  return (
    <div aria-hidden className="relative h-2.5 w-full min-w-24 overflow-hidden rounded-sm bg-sunken">
      <div className={`h-full ${FILLS[verdict]}`} style={{ width: at(filled) }} />
      {[moderate, drifted].map((share) => (
        <div key={share} className="absolute inset-y-0 w-px bg-line-strong" style={{ left: at(share) }} />
      ))}
    </div>
  );
}

import { useViewer } from "@/api";
import { actorInSentence } from "@/parts/ActorName";
import { Button } from "@/ui";
import { useIsOwn } from "./decisions";
import type { Hold } from "./hold-documents";

export interface HoldsProps {
  holds: readonly Hold[];
  /** Absent where none can be placed any more. */
  onPlace?: () => void;
  onRelease: (hold: string) => void;
  onApproveRelease: (hold: string) => void;
}

/** The holds that are on data: who placed them and why, and how each ends. */
export function Holds({ holds, onPlace, onRelease, onApproveRelease }: HoldsProps) {
  return (
    <section aria-label="Holds" className="flex flex-col gap-3 text-[13px]">
      <h3 className="font-semibold">Holds</h3>
      {holds.length === 0 && <p className="text-muted">None is on it.</p>}
      {holds.length > 0 && (
        <ul className="flex flex-col gap-3">
          {holds.map((hold) => (
            <OneHold
              key={hold.name}
              hold={hold}
              onRelease={() => onRelease(hold.name)}
              onApproveRelease={() => onApproveRelease(hold.name)}
            />
          ))}
        </ul>
      )}
      {onPlace && (
        <div>
          <Button size="small" onClick={onPlace}>
            Place a hold…
          </Button>
        </div>
      )}
    </section>
  );
}

interface OneHoldProps {
  hold: Hold;
  onRelease: () => void;
  onApproveRelease: () => void;
}

function OneHold({ hold, onRelease, onApproveRelease }: OneHoldProps) {
  const { can } = useViewer();
  const isOwn = useIsOwn(hold.release?.actor);
  return (
    <li className="flex flex-col gap-1 rounded-md border px-3 py-2 break-words">
      <span className="font-medium">{hold.name}</span>
      <span className="text-muted">
        {actorInSentence(hold.actor)} placed it: {hold.reason}
      </span>
      {hold.release && (
        <span className="text-muted">
          {isOwn ? "You" : actorInSentence(hold.release.actor)} asked for its release: {hold.release.reason}
        </span>
      )}
      <span className="mt-1 flex flex-wrap gap-2">
        {!hold.release && (
          <Button size="small" onClick={onRelease}>
            Release…
          </Button>
        )}
        {hold.release && !isOwn && can("ERASURE_APPROVE") && (
          <Button size="small" onClick={onApproveRelease}>
            Approve the release…
          </Button>
        )}
        {hold.release && isOwn && <span className="text-muted">Another user has to approve that.</span>}
      </span>
    </li>
  );
}

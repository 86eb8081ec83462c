import { getRouteApi, useRouter } from "@tanstack/react-router";
import { useCallback, useEffect, useState } from "react";
import { stringifySearch } from "@/app/search";
import type { ExecutionSearch } from "./search";

const route = getRouteApi("/executions/$executionId");
/** The address follows when somebody rests, so that scrubbing costs no navigation. */
const RESTS_AFTER_MS = 250;

export type ChangeView = (change: Partial<ExecutionSearch>) => void;

/** What is looked at: at once here, and in the address once it rests. */
export function useView(): [ExecutionSearch, ChangeView] {
  const search = route.useSearch();
  const { executionId } = route.useParams();
  const router = useRouter();
  const navigate = route.useNavigate();
  const said = stringifySearch({ ...search });
  const [view, setView] = useState<ExecutionSearch>(search);
  const [seen, setSeen] = useState(said);
  const [written, setWritten] = useState(said);
  if (said !== seen) {
    setSeen(said);
    // Somebody came by a link, or went back: the address leads.
    if (said !== written) {
      setView(search);
      setWritten(said);
    }
  }
  const wanted = stringifySearch({ ...view });
  useEffect(() => {
    if (wanted === said) return undefined;
    const timer = setTimeout(() => {
      // Whoever is on the way to another page is let go there; this one is left as it is until that has come.
      if (!router.latestLocation.pathname.endsWith(`/executions/${executionId}`)) return;
      setWritten(wanted);
      void navigate({ search: view, replace: true });
    }, RESTS_AFTER_MS);
    return () => clearTimeout(timer);
  }, [wanted, said, view, navigate, router, executionId]);
  const change = useCallback<ChangeView>((next) => setView((before) => ({ ...before, ...next })), []);
  return [view, change];
}

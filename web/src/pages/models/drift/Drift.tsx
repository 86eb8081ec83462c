import type { ModelShown } from "../ModelPage";
import { Compare } from "./Compare";
import { Watch } from "./Watch";

/** Whether what goes into a model and comes out of it is like what it was: watched, and compared once. */
export function Drift({ model, mayWrite }: { model: ModelShown; mayWrite: boolean }) {
  return (
    <div className="flex flex-col gap-4 p-4 md:p-6">
      <Watch model={model} mayWrite={mayWrite} />
      <Compare model={model} />
    </div>
  );
}

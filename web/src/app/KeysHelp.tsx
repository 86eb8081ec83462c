import { useSyncExternalStore } from "react";
import { Dialog, Kbd } from "../ui";
import { keyRegistry } from "./keys";

/** The keys that do something here and now. */
export function KeysHelp({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  const registered = useSyncExternalStore(keyRegistry.subscribe, keyRegistry.all);
  const scopes = new Map<string, { keys: string; does: string }[]>();
  for (const { scope, bindings } of registered) {
    if (scope !== "Dialog") scopes.set(scope, [...(scopes.get(scope) ?? []), ...bindings]);
  }
  return (
    <Dialog title="Keys" isOpen={isOpen} onClose={onClose}>
      <div className="grid gap-6 sm:grid-cols-2">
        {[...scopes].toReversed().map(([scope, bindings]) => (
          <section key={scope}>
            <h3 className="mb-1.5 text-xs font-semibold text-muted">{scope}</h3>
            <dl className="flex flex-col gap-1 text-[13px]">
              {bindings.map(({ keys, does }) => (
                <div key={keys} className="flex items-center justify-between gap-3">
                  <dt>{does}</dt>
                  <dd>
                    <Kbd keys={keys} />
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}

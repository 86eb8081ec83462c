import { useState } from "react";
import { useChange } from "@/api";
import { Button, ConfirmDialog, EmptyState, Field, Input } from "@/ui";
import { Panel } from "@/ui/Panel";
import type { AgentShown } from "./AgentPage";
import { ClearMemory } from "./changes";
import { recordOf } from "./record";

/** What an agent remembers: told, and cleared a session at a time. */
export function AgentMemory({ agent, mayWrite }: { agent: AgentShown; mayWrite: boolean }) {
  const memory = recordOf(agent.newestVersion?.record).memory;
  const [session, setSession] = useState("");
  const [isAsked, setAsked] = useState(false);
  const [clear] = useChange(ClearMemory, {
    payload: (data) => data.clearAgentMemory,
    done: "What was said in the session is forgotten",
    failed: "Nothing was forgotten",
  });
  if (!memory) {
    return (
      <EmptyState icon="clock" title="It remembers nothing">
        With <code>{'"memory": {"exchanges_max": 10}'}</code> in its record, runs of the same session remember what was
        asked and answered before.
      </EmptyState>
    );
  }
  return (
    <div className="max-w-2xl p-4 md:p-6">
      <Panel
        title="Memory"
        hint={`Runs of the same session remember the last ${memory.exchanges_max ?? "few"} questions and answers.`}
      >
        <div className="flex flex-col gap-3">
          <p className="text-sm text-muted">
            What a run remembered stands in its timeline, under “Remembers”. Forgetting a session is for runs to come:
            what was written down of runs before stays in the log.
          </p>
          {mayWrite && (
            <form
              className="flex items-end gap-2"
              onSubmit={(event) => {
                event.preventDefault();
                setAsked(true);
              }}
            >
              <Field label="Session" className="flex-1">
                <Input value={session} onChange={(event) => setSession(event.target.value)} />
              </Field>
              <Button type="submit" kind="danger" disabled={session.trim() === ""}>
                Forget it
              </Button>
            </form>
          )}
        </div>
      </Panel>
      <ConfirmDialog
        title="Forget a session"
        isOpen={isAsked}
        onClose={() => setAsked(false)}
        confirm="Forget it"
        isDangerous
        onConfirm={async () => (await clear({ input: { name: agent.name, session: session.trim() } })).kind === "done"}
      >
        {agent.name} will not know any more what was said in the session <strong>{session.trim()}</strong>.
      </ConfirmDialog>
    </div>
  );
}

import { Dialog } from "@/ui";
import type { Commands } from "../state/commands";
import { Chooser } from "./Chooser";
import { score } from "./fuzzy";

export interface ConnectDialogProps {
  source: string | undefined;
  /** The outputs of the source, by name. */
  outputs: readonly string[];
  output: number;
  commands: Commands;
  onClose: () => void;
}

type Choice = ReturnType<Commands["targetsOf"]>[number] & { output: number };

/** Where the output of a node is to lead, by name. */
export function ConnectDialog({ source, outputs, output, commands, onClose }: ConnectDialogProps) {
  if (source === undefined) return null;
  const title = `Connect ${source} to`;
  const places = outputs.length > 1 ? [...outputs.keys()] : [0];
  const ordered = [output, ...places.filter((place) => place !== output)];
  const choices: Choice[] = ordered.flatMap((place) =>
    commands.targetsOf(source).map((target) => ({ ...target, output: place })),
  );
  const words = (choice: Choice) =>
    [outputs.length > 1 && `from “${outputs[choice.output] ?? ""}”`, choice.words].filter(Boolean).join(", ");
  const named = (choice: Choice) => (words(choice) === "" ? choice.name : `${choice.name} (${words(choice)})`);
  return (
    <Dialog title={title} hideTitle isOpen onClose={onClose}>
      <Chooser
        label={title}
        placeholder={`${title} …`}
        rows={(query) =>
          choices
            .map((choice) => ({ choice, points: score(named(choice), query) }))
            .filter(({ points }) => points > 0)
            .sort((one, other) => (query === "" ? 0 : other.points - one.points))
            .map(({ choice }) => ({
              key: `${choice.name}/${choice.kind}/${choice.input}/${choice.output}`,
              value: choice,
              label: named(choice),
            }))
        }
        row={(choice: Choice) => (
          <span className="flex items-baseline gap-2 text-sm">
            <span className="truncate font-medium">{choice.name}</span>
            <span className="shrink-0 text-xs text-muted">{words(choice)}</span>
          </span>
        )}
        onChoose={({ name: target, kind, input: targetIndex, output: sourceIndex }) => {
          commands.connect({ source, sourceIndex, target, targetIndex, kind });
          onClose();
        }}
        empty="No other node takes it. Add one with +."
      />
    </Dialog>
  );
}

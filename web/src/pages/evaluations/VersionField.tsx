import { Field, Select } from "@/ui";
import type { SetShown } from "./EvaluationSetPage";

export interface VersionFieldProps {
  set: SetShown;
  version: number;
  onChange: (version: number) => void;
  hideLabel?: boolean;
}

/** A version of a set, the newest first. */
export function VersionField({ set, version, onChange, hideLabel }: VersionFieldProps) {
  return (
    <Field label="Version of the set" hideLabel={hideLabel} className="min-w-44">
      <Select
        value={String(version)}
        choices={set.versions.toReversed().map((one) => ({
          value: String(one.version),
          label: `version ${one.version}${one.version === set.newestVersion ? ", the newest" : ""}`,
        }))}
        onChange={(next) => onChange(Number(next))}
      />
    </Field>
  );
}

/** The version that an address means: the newest where it names none that is there. */
export function versionOf(set: Pick<SetShown, "versions" | "newestVersion">, version: number | undefined): number {
  return set.versions.find((one) => one.version === version)?.version ?? set.newestVersion;
}

import { Select } from "@/ui";

export type Shape = "table" | "json" | "schema";

/** Chooses how items are shown. */
export function ShapeSelect({ value, onChange }: { value: Shape; onChange: (shape: Shape) => void }) {
  return (
    <Select<Shape>
      aria-label="Shown as"
      value={value}
      onChange={onChange}
      choices={[
        { value: "table", label: "Table" },
        { value: "json", label: "JSON" },
        { value: "schema", label: "Schema" },
      ]}
      className="h-7 text-[13px]"
    />
  );
}

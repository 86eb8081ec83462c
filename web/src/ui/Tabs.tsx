import { Tabs as Radix } from "radix-ui";
import { type ReactNode, memo } from "react";

export interface Tab<T extends string> {
  value: T;
  label: ReactNode;
  content: ReactNode;
}

export interface TabsProps<T extends string> {
  label: string;
  value: T;
  onChange: (value: T) => void;
  tabs: readonly Tab<T>[];
  className?: string;
}

export function Tabs<T extends string>({ label, value, onChange, tabs, className }: TabsProps<T>) {
  return (
    <Radix.Root
      value={value}
      onValueChange={(next) => onChange(next as T)}
      className={`flex min-h-0 flex-col ${className ?? ""}`}
    >
      <Names label={label} tabs={tabs} />
      {tabs.map((tab) => (
        <Radix.Content key={tab.value} value={tab.value} className="min-h-0 flex-1 overflow-auto">
          {tab.content}
        </Radix.Content>
      ))}
    </Radix.Root>
  );
}

interface NamesProps {
  label: string;
  tabs: readonly Pick<Tab<string>, "value" | "label">[];
}

/** The names of the tabs: while only what is in them changes, they are not drawn again. */
const Names = memo(
  function Names({ label, tabs }: NamesProps) {
    return (
      <Radix.List aria-label={label} className="flex gap-1 overflow-x-auto border-b px-2">
        {tabs.map((tab) => (
          <Radix.Trigger
            key={tab.value}
            value={tab.value}
            className="-mb-px -outline-offset-2 border-b-2 border-transparent px-2.5 py-2 text-[13px] whitespace-nowrap text-muted hover:text-text data-[state=active]:border-accent data-[state=active]:font-medium data-[state=active]:text-text"
          >
            {tab.label}
          </Radix.Trigger>
        ))}
      </Radix.List>
    );
  },
  (one, other) =>
    one.label === other.label &&
    one.tabs.length === other.tabs.length &&
    one.tabs.every((tab, place) => tab.value === other.tabs[place]?.value && tab.label === other.tabs[place].label),
);

import { DropdownMenu } from "radix-ui";
import type { ReactNode } from "react";
import { classes } from "./class-names";
import { Kbd } from "./Kbd";

export interface MenuItem {
  label: string;
  run: () => void;
  icon?: ReactNode;
  keys?: string;
  isDangerous?: boolean;
  disabled?: boolean;
  /** Of a choice: whether it is the present one. */
  checked?: boolean;
}

export interface MenuProps {
  /** A button; it opens the menu. */
  trigger: ReactNode;
  items: readonly (MenuItem | "line")[];
  align?: "start" | "end";
  heading?: ReactNode;
}

export function Menu({ trigger, items, align = "end", heading }: MenuProps) {
  return (
    // A modal one would lock scrolling by a style of its own, which the content security policy does not let through.
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align={align}
          sideOffset={4}
          className="z-50 min-w-44 rounded-md border bg-raised py-1 text-text shadow-raised"
        >
          {heading !== undefined && (
            <DropdownMenu.Label className="px-3 py-1.5 text-xs text-muted">{heading}</DropdownMenu.Label>
          )}
          {items.map((item, place) =>
            item === "line" ? (
              <DropdownMenu.Separator key={`line-${String(place)}`} className="my-1 h-px bg-line" />
            ) : (
              <DropdownMenu.Item
                key={item.label}
                disabled={item.disabled}
                onSelect={item.run}
                className={classes(
                  "flex cursor-pointer items-center gap-2 px-3 py-1.5 text-sm outline-none data-[disabled]:opacity-50 data-[highlighted]:bg-hover",
                  item.isDangerous === true && "text-bad",
                )}
              >
                {item.icon}
                <span className="flex-1">{item.label}</span>
                {item.checked === true && <span aria-label="chosen">✓</span>}
                {item.keys !== undefined && <Kbd keys={item.keys} />}
              </DropdownMenu.Item>
            ),
          )}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

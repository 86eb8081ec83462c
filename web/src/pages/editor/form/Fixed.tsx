import type { ReactNode } from "react";
import { classes } from "@/ui";

/** A form that may be only to look at: then nothing in it can be changed, and all of it is as easy to read as before. */
export function Fixed({ isFixed, className, children }: { isFixed: boolean; className?: string; children: ReactNode }) {
  return (
    <fieldset disabled={isFixed} className={classes("min-w-0 [&_:is(input,select,textarea)]:opacity-100!", className)}>
      {children}
    </fieldset>
  );
}

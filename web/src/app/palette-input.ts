/** What the field of the palette asks for, and how it looks: the same before the rest of the palette is there. */
export const HINT = "A page, workflow, agent or model, an execution's id, a text in a run, or an action";
export const INPUT = "h-12 w-full border-b bg-transparent px-4 text-[15px] outline-none placeholder:text-muted";

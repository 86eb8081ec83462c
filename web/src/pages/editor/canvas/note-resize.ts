import { createContext, use } from "react";

export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** How a note that was pulled larger or smaller is told to the page. */
export const NoteResize = createContext<(name: string, box: Box) => void>(() => undefined);

export function useNoteResize() {
  return use(NoteResize);
}

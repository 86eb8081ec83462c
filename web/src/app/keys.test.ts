import { renderHook } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { listenToKeys, nameOf, useKeys } from "./keys";

let stop: () => void;
beforeEach(() => (stop = listenToKeys()));
afterEach(() => stop());

function press(key: string, target: EventTarget = document.body, more: KeyboardEventInit = {}): void {
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
}

test("keys one after the other are a sequence, and what is in between breaks it", () => {
  const run = vi.fn();
  renderHook(() => useKeys([{ keys: "g e", does: "go", run }], "Test"));
  press("g");
  press("x");
  press("e");
  expect(run).not.toHaveBeenCalled();
  press("g");
  press("e");
  expect(run).toHaveBeenCalledTimes(1);
});

test("nothing happens while somebody writes, but for keys that say so", () => {
  const [plain, always] = [vi.fn(), vi.fn()];
  renderHook(() =>
    useKeys(
      [
        { keys: "j", does: "next", run: plain },
        { keys: "Ctrl+k", does: "find", run: always, inFields: true },
      ],
      "Test",
    ),
  );
  const field = document.body.appendChild(document.createElement("input"));
  press("j", field);
  press("k", field, { ctrlKey: true });
  expect(plain).not.toHaveBeenCalled();
  expect(always).toHaveBeenCalledTimes(1);
  field.remove();
});

test("the newest of the same keys wins, and keys end with their component", () => {
  const [outer, inner] = [vi.fn(), vi.fn()];
  renderHook(() => useKeys([{ keys: "d", does: "outer", run: outer }], "Outer"));
  const second = renderHook(() => useKeys([{ keys: "d", does: "inner", run: inner }], "Inner"));
  press("d");
  second.unmount();
  press("d");
  expect(inner).toHaveBeenCalledTimes(1);
  expect(outer).toHaveBeenCalledTimes(1);
});

test("presses have names", () => {
  const none = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false };
  expect(nameOf({ ...none, key: "?", shiftKey: true })).toBe("?");
  expect(nameOf({ ...none, key: "K", ctrlKey: true, shiftKey: true })).toBe("Ctrl+k");
  expect(nameOf({ ...none, key: "ArrowUp", shiftKey: true })).toBe("Shift+ArrowUp");
});

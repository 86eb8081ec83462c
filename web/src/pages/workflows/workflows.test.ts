import { expect, test } from "vitest";
import { partsOf } from "./files";
import { folderOf, folderTree, shownFolders } from "./folders";
import { search } from "./search";

test("folders are a tree, with folders that hold only folders, and sums", () => {
  const tree = folderTree([
    { path: "", workflowCount: 9 },
    { path: "Support", workflowCount: 1 },
    { path: "Billing/Shop", workflowCount: 2 },
    { path: "Billing/Payments/Late", workflowCount: 3 },
    { path: "Billing-old", workflowCount: 1 },
  ]);
  expect(tree.map(({ path, level, workflowCount }) => [path, level, workflowCount])).toEqual([
    ["Billing", 1, 5],
    ["Billing/Payments", 2, 3],
    ["Billing/Payments/Late", 3, 3],
    ["Billing/Shop", 2, 2],
    ["Billing-old", 1, 1],
    ["Support", 1, 1],
  ]);
  expect(tree.filter((folder) => folder.hasChildren).map(({ path }) => path)).toEqual(["Billing", "Billing/Payments"]);
  expect(shownFolders(tree, new Set(["Billing"])).map(({ path }) => path)).toEqual([
    "Billing",
    "Billing-old",
    "Support",
  ]);
});

test("a folder is read as people write it", () => {
  expect(folderOf(" Billing / Shop/ ")).toBe("Billing/Shop");
  expect(folderOf("//")).toBe("");
});

test("a file holds one workflow, or a list of them, or something that the server explains", () => {
  expect(partsOf("a.json", '{"name":"One","nodes":[]}')).toEqual([
    { label: "a.json", source: '{"name":"One","nodes":[]}' },
  ]);
  expect(partsOf("all.json", '[{"name":"One"},{"nodes":[]},7]')).toEqual([
    { label: "One", definition: { name: "One" } },
    { label: "all.json, number 2", definition: { nodes: [] } },
    { label: "all.json, number 3", definition: 7 },
  ]);
  expect(partsOf("broken.json", "{")).toEqual([{ label: "broken.json", source: "{" }]);
  expect(partsOf("empty.json", "[]")).toEqual([{ label: "empty.json", source: "[]" }]);
});

test("an address opens what it names and nothing else", () => {
  expect(search({ name: "in", folder: "Billing", archived: "1", open: "import" })).toEqual({
    name: "in",
    folder: "Billing",
    archived: true,
    open: "import",
  });
  expect(search({ open: "everything", name: ["a"] })).toEqual({});
});

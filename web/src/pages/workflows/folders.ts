/** A folder as the API tells it: how many workflows lie in it itself. */
export interface FolderCount {
  path: string;
  workflowCount: number;
}

export interface FolderNode {
  path: string;
  name: string;
  /** 1 for the outermost. */
  level: number;
  /** With those in folders within it. */
  workflowCount: number;
  hasChildren: boolean;
}

/** Folders as a tree in the order in which it is drawn; folders that hold only folders are there too. */
export function folderTree(folders: readonly FolderCount[]): FolderNode[] {
  const counts = new Map<string, number>();
  for (const { path, workflowCount } of folders) {
    if (path === "") continue;
    for (const outer of outwards(path)) counts.set(outer, (counts.get(outer) ?? 0) + workflowCount);
  }
  const paths = [...counts.keys()].sort(byNames);
  return paths.map((path, place) => ({
    path,
    name: path.slice(path.lastIndexOf("/") + 1),
    level: path.split("/").length,
    workflowCount: counts.get(path) ?? 0,
    hasChildren: paths[place + 1]?.startsWith(`${path}/`) === true,
  }));
}

/** Those that are in sight: not within one that is closed. */
export function shownFolders(tree: readonly FolderNode[], closed: ReadonlySet<string>): FolderNode[] {
  return tree.filter(({ path }) => !outwards(path).some((outer) => outer !== path && closed.has(outer)));
}

/** The path and those of the folders around it: `a/b` gives `a/b` and `a`. */
function outwards(path: string): string[] {
  const parts = path.split("/");
  return parts.map((_, place) => parts.slice(0, place + 1).join("/")).reverse();
}

/** Name by name, so that what is in a folder comes right behind it. */
function byNames(left: string, right: string): number {
  const [a, b] = [left.split("/"), right.split("/")];
  for (let place = 0; place < Math.min(a.length, b.length); place += 1) {
    const order = (a[place] ?? "").localeCompare(b[place] ?? "");
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

/** What somebody wrote as a folder, without what is around the names. */
export function folderOf(text: string): string {
  return text
    .split("/")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .join("/");
}

/** How pages are fetched. `end` is the cursor behind a page, absent on the last. */
export interface PagesSource<N, P> {
  keyOf: (node: N) => string;
  load: (after: string | undefined) => Promise<{ nodes: readonly N[]; end: string | undefined } | { problem: P }>;
  changed: () => void;
}

interface Page<N> {
  after: string | undefined;
  end: string | undefined;
  start: number;
  count: number;
  /** Absent when the page was let go. */
  nodes: N[] | undefined;
}

/** Pages that are held around what is looked at. */
const HELD_AROUND = 8;

/**
 * A list of any length behind cursors, of which a window is held. Pages are reached one behind the other; of those that are
 * far from what is looked at nothing is kept but their cursors, so that the way back is short and memory stays small.
 */
export class Pages<N, P> {
  private readonly pages: Page<N>[] = [];
  private readonly underWay = new Set<number>();
  private freshRows: N[] = [];
  private head: N[] = [];
  private wanted: [number, number] = [0, 0];
  private isClosed = false;
  hasBegun = false;
  problem: P | undefined;

  constructor(private readonly source: PagesSource<N, P>) {}

  get count(): number {
    const last = this.pages.at(-1);
    return this.head.length + (last ? last.start + last.count : 0);
  }

  get hasMore(): boolean {
    const last = this.pages.at(-1);
    return last === undefined ? !this.hasBegun : last.end !== undefined;
  }

  get isLoading(): boolean {
    return this.underWay.size > 0;
  }

  get isEmpty(): boolean {
    return this.pages.length > 0 && !this.hasMore && this.count === 0;
  }

  get freshCount(): number {
    return this.freshRows.length;
  }

  rowAt(index: number): N | undefined {
    if (index < this.head.length) return this.head[index];
    const place = index - this.head.length;
    const page = this.pages[this.pageOf(place)];
    return page?.nodes?.[place - page.start];
  }

  /** Fetches what is missing of these rows. */
  ensure(first: number, last: number): void {
    this.isClosed = false;
    this.wanted = [Math.max(0, first - this.head.length), Math.max(0, last - this.head.length)];
    this.fetchWanted();
  }

  close(): void {
    this.isClosed = true;
  }

  upsert(node: N, onlyKnown = false): void {
    const key = this.source.keyOf(node);
    const lists = [this.head, this.freshRows, ...this.pages.flatMap((page) => (page.nodes ? [page.nodes] : []))];
    for (const list of lists) {
      const place = list.findIndex((known) => this.source.keyOf(known) === key);
      if (place < 0) continue;
      list[place] = node;
      this.source.changed();
      return;
    }
    if (onlyKnown) return;
    // Where nothing is read yet, nothing can move under a reader.
    if (this.isEmpty) this.head = [node];
    else this.freshRows = [node, ...this.freshRows];
    this.source.changed();
  }

  showFresh(): void {
    this.head = [...this.freshRows, ...this.head];
    this.freshRows = [];
    this.source.changed();
  }

  private fetchWanted(): void {
    if (this.isClosed || this.problem !== undefined) return;
    const [first, last] = this.wanted;
    const from = this.pageOf(first);
    const to = this.pageOf(last);
    this.letGo(from, to);
    for (let number = Math.max(0, from); number <= to; number += 1) {
      if (this.pages[number]?.nodes === undefined && number < this.pages.length) void this.fetch(number);
    }
    const end = this.pages.at(-1);
    const isAtEnd = end === undefined || last >= end.start + end.count - Math.ceil(end.count / 2);
    if (isAtEnd && this.hasMore) void this.fetch(this.pages.length);
  }

  private async fetch(number: number): Promise<void> {
    if (this.underWay.has(number)) return;
    this.underWay.add(number);
    this.hasBegun = true;
    const before = this.pages[number - 1];
    const after = this.pages[number]?.after ?? before?.end;
    const answer = await this.source.load(after);
    this.underWay.delete(number);
    if (this.isClosed) return;
    if ("problem" in answer) {
      this.problem = answer.problem;
    } else {
      const start = this.pages[number]?.start ?? (before ? before.start + before.count : 0);
      const nodes = [...answer.nodes];
      const count = this.pages[number]?.count ?? nodes.length;
      this.pages[number] = { after, end: answer.end, start, count, nodes };
      this.fetchWanted();
    }
    this.source.changed();
  }

  private letGo(from: number, to: number): void {
    for (const [number, page] of this.pages.entries()) {
      if (number < from - HELD_AROUND || number > to + HELD_AROUND) page.nodes = undefined;
    }
  }

  /** The page that has a row; the last one for rows behind the end. */
  private pageOf(index: number): number {
    let low = 0;
    let high = this.pages.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.pages[middle]?.start ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

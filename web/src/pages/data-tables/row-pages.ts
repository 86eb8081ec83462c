/** A part of the rows, or why it could not be read. */
export type Part<R, F> = { rows: readonly R[]; count: number } | { problem: F };

export interface RowPagesOptions<R, F> {
  /** Rows of a page. */
  pageSize: number;
  load: (skip: number, first: number) => Promise<Part<R, F>>;
  keyOf: (row: R) => number;
  /** Something is to be drawn anew. */
  changed: () => void;
}

/** Pages that are held; those farthest from what is looked at are let go. */
const PAGES_MAX = 20;

/** Rows that are asked for by how many are before them. What is shown stays while newer ones are on their way. */
export class RowPages<R, F> {
  /** How many rows there are; not known before the first part came. */
  count: number | undefined;
  problem: F | undefined;
  private readonly pages = new Map<number, { rows: readonly R[]; generation: number }>();
  private readonly underWay = new Set<number>();
  /** Counts how often what is shown grew old. */
  private generation = 0;
  private looked: readonly [number, number] = [0, 0];
  private isClosed = false;

  constructor(private readonly options: RowPagesOptions<R, F>) {}

  rowAt(index: number): R | undefined {
    const { pageSize } = this.options;
    return this.pages.get(Math.floor(index / pageSize))?.rows[index % pageSize];
  }

  /** Says which rows are looked at: what is missing of them or old is fetched. */
  ensure(first: number, last: number): void {
    const { pageSize } = this.options;
    this.isClosed = false;
    this.looked = [Math.floor(first / pageSize), Math.floor(last / pageSize)];
    this.fetch();
  }

  /** Something changed: what is looked at is asked for again. */
  reload(): void {
    this.generation += 1;
    this.problem = undefined;
    this.fetch();
    this.options.changed();
  }

  /** Takes in a row that changed, where it is held. */
  put(row: R): void {
    const { keyOf } = this.options;
    for (const [page, held] of this.pages) {
      if (!held.rows.some((one) => keyOf(one) === keyOf(row))) continue;
      const rows = held.rows.map((one) => (keyOf(one) === keyOf(row) ? row : one));
      this.pages.set(page, { ...held, rows });
    }
    this.options.changed();
  }

  close(): void {
    this.isClosed = true;
  }

  private fetch(): void {
    if (this.problem !== undefined) return;
    const [first, last] = this.looked;
    for (let page = first; page <= last; page += 1) {
      const isFresh = this.pages.get(page)?.generation === this.generation;
      if (!isFresh && !this.underWay.has(page)) void this.load(page);
    }
  }

  private async load(page: number): Promise<void> {
    const { pageSize, load, changed } = this.options;
    const { generation } = this;
    this.underWay.add(page);
    const part = await load(page * pageSize, pageSize);
    this.underWay.delete(page);
    if (this.isClosed) return;
    if ("problem" in part) this.problem = part.problem;
    else {
      this.pages.set(page, { rows: part.rows, generation });
      this.count = part.count;
      this.letGo();
    }
    this.fetch();
    changed();
  }

  private letGo(): void {
    const middle = (this.looked[0] + this.looked[1]) / 2;
    const far = [...this.pages.keys()].sort((one, other) => Math.abs(one - middle) - Math.abs(other - middle));
    for (const page of far.slice(PAGES_MAX)) this.pages.delete(page);
  }
}

/** What a page of older rows brought, and where the next one begins. */
export interface Older<R> {
  rows: readonly R[];
  /** The cursor behind it; absent at the beginning of the log. */
  end: string | undefined;
  /** The newest position of the log when it was read. */
  head: string;
  /** Of a search: how many events were looked at, and whether it stopped before it had looked at all of them. */
  searched?: number;
  isCut?: boolean;
}

export interface Newer<R> {
  /** The oldest first, as the log has them. */
  rows: readonly R[];
  hasMore: boolean;
}

export interface StretchSource<R, P> {
  positionOf: (row: R) => string;
  /** Rows up to a position, the newest first: `below` it, or behind a cursor. */
  older: (place: { upTo?: string; after?: string }) => Promise<Older<R> | { problem: P }>;
  newer: (from: string) => Promise<Newer<R> | { problem: P }>;
  changed: () => void;
}

/** Rows that are held; beyond, those at the far end are let go and read again when somebody comes to them. */
const HELD_MAX = 20_000;
/** How near to an end somebody has to come before what is behind it is read. */
const NEAR = 30;

/** A stretch of the log around a place, the newest first. It grows at both ends. */
export class Stretch<R, P> {
  rows: R[] = [];
  /** How many rows were put in before the first one. */
  before = 0;
  /** Whether the newest of these were read because somebody came near, rather than having just happened. */
  grewByReading = false;
  /** The newest position that is known to be in `rows`, if it passes the filter. */
  top = "0";
  hasBegun = false;
  hasOlder = true;
  hasNewer = false;
  /** How many events a search looked at so far, and whether it waits to be told to go on. */
  searched = 0;
  isCut = false;
  problem: P | undefined;
  private place: { upTo?: string; after?: string };
  private isReading = { older: false, newer: false };
  private isClosed = false;

  constructor(
    private readonly source: StretchSource<R, P>,
    /** Where it begins; the newest event where it is absent. */
    private readonly anchor?: string,
  ) {
    this.place = anchor === undefined ? {} : { upTo: anchor };
  }

  get isLoading(): boolean {
    return !this.hasBegun || this.isReading.older || this.isReading.newer;
  }

  get isEmpty(): boolean {
    return this.hasBegun && this.rows.length === 0 && !this.hasOlder && !this.hasNewer;
  }

  find(position: string): R | undefined {
    return this.rows.find((row) => this.source.positionOf(row) === position);
  }

  /** Reads what is missing around the rows that are looked at. */
  ensure(first: number, last: number): void {
    this.isClosed = false;
    if (this.problem !== undefined) return;
    if (!this.hasBegun || (last >= this.rows.length - NEAR && this.hasOlder && !this.isCut)) void this.readOlder();
    if (this.hasBegun && first < NEAR && this.hasNewer) void this.readNewer();
  }

  /** Lets a search go on that stopped. */
  goOn(): void {
    this.isCut = false;
    this.source.changed();
    void this.readOlder();
  }

  /** Takes an event in that just happened. */
  take(row: R): void {
    const position = this.source.positionOf(row);
    if (this.hasNewer || BigInt(position) <= BigInt(this.top)) return;
    this.rows.unshift(row);
    this.before += 1;
    this.grewByReading = false;
    this.top = position;
    this.letGo();
    this.source.changed();
  }

  close(): void {
    this.isClosed = true;
  }

  private async readOlder(): Promise<void> {
    if (this.isReading.older) return;
    this.isReading.older = true;
    const answer = await this.source.older(this.place);
    this.isReading.older = false;
    if (this.isClosed) return;
    if ("problem" in answer) {
      this.problem = answer.problem;
    } else {
      if (!this.hasBegun) {
        this.hasBegun = true;
        this.hasNewer = this.anchor !== undefined && BigInt(this.anchor) < BigInt(answer.head);
        this.top = this.hasNewer && this.anchor !== undefined ? this.anchor : answer.head;
      }
      this.rows.push(...answer.rows);
      const [first] = this.rows;
      if (first !== undefined && BigInt(this.source.positionOf(first)) > BigInt(this.top))
        this.top = this.source.positionOf(first);
      this.searched += answer.searched ?? 0;
      this.isCut = answer.isCut === true;
      this.hasOlder = answer.end !== undefined;
      this.place = { ...this.place, after: answer.end };
    }
    this.source.changed();
  }

  private async readNewer(): Promise<void> {
    if (this.isReading.newer) return;
    this.isReading.newer = true;
    const answer = await this.source.newer(this.top);
    this.isReading.newer = false;
    if (this.isClosed) return;
    if ("problem" in answer) {
      this.problem = answer.problem;
    } else {
      const newest = answer.rows.at(-1);
      this.rows.unshift(...answer.rows.toReversed());
      this.before += answer.rows.length;
      this.grewByReading = true;
      if (newest !== undefined) this.top = this.source.positionOf(newest);
      this.hasNewer = answer.hasMore && newest !== undefined;
      this.letGo();
    }
    this.source.changed();
  }

  /** Lets the oldest rows go when there are too many. They are read again by position, as no cursor leads there. */
  private letGo(): void {
    if (this.rows.length <= HELD_MAX) return;
    this.rows.length = HELD_MAX;
    const last = this.rows[HELD_MAX - 1];
    if (last === undefined) return;
    this.place = { upTo: String(BigInt(this.source.positionOf(last)) - 1n) };
    this.hasOlder = true;
  }
}

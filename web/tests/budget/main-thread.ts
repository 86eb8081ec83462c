import type { CDPSession, Page } from "@playwright/test";

/**
 * What a page's main thread computes, by the processor's clock: what else the machine does meanwhile is not the page's.
 */
export class MainThread {
  private constructor(
    private readonly page: Page,
    private readonly session: CDPSession,
    private readonly kinds: readonly string[],
  ) {}

  /** `kinds` are metrics of the browser; without them everything counts, also what is drawn and what the measuring takes. */
  static async of(page: Page, kinds = ["TaskDuration"]): Promise<MainThread> {
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    return new MainThread(page, session, kinds);
  }

  /** Milliseconds that something takes, until what it leads to is drawn. */
  async during(act: () => Promise<void>): Promise<number> {
    const before = await this.busy();
    await act();
    await this.drawn();
    return ((await this.busy()) - before) * 1_000;
  }

  private async drawn(): Promise<void> {
    await this.page.evaluate(
      () => new Promise<void>((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))),
    );
  }

  private async busy(): Promise<number> {
    const { metrics } = await this.session.send("Performance.getMetrics");
    return metrics.reduce((sum, { name, value }) => (this.kinds.includes(name) ? sum + value : sum), 0);
  }
}

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Cookie, type Page, expect } from "@playwright/test";

/** The program that is tested. */
export const PROGRAM =
  process.env.TIMELOOM_BIN ?? fileURLToPath(new URL("../../../target/debug/timeloom", import.meta.url));
const STARTS_IN_MS = 60_000;
const PASSWORD = "a long password for tests";

interface Answer<D> {
  data: D;
  errors?: { message: string }[];
}

/** The real program on a port and a data folder of its own. */
export class Server {
  private process: ChildProcess | undefined;
  private said = "";
  private key: string | undefined;
  /** The cookies of the owner's session, once somebody signed in by the form. */
  private session: Cookie[] = [];

  private constructor(
    readonly port: number,
    readonly data: string,
    private readonly flags: readonly string[],
  ) {}

  /** A server with an owner who has a password and a key. */
  static async start(flags: readonly string[] = []): Promise<Server> {
    const server = await Server.startNew(flags);
    await server.takeOwner();
    return server;
  }

  /** A server in which nobody can sign in yet but by `link()`, as at the first start. */
  static async startNew(flags: readonly string[] = []): Promise<Server> {
    const data = await mkdtemp(join(tmpdir(), "timeloom-web-"));
    const server = new Server(await freePort(), data, flags);
    await server.run();
    return server;
  }

  get url(): string {
    return `http://localhost:${this.port}`;
  }

  /** What the program wrote so far. */
  get output(): string {
    return this.said;
  }

  /** The link that lets an owner in once. */
  link(): string {
    const token = /\/sign-in\/link\?token=(\S+)/.exec(this.said)?.[1];
    if (token === undefined) throw new Error(`the program printed no link: ${this.said}`);
    return `${this.url}/sign-in/link?token=${token}`;
  }

  /** Ends the program at once, as a power cut does. */
  async kill(): Promise<void> {
    await this.end("SIGKILL");
  }

  /** Starts the program again on the same data and port. */
  async restart(): Promise<void> {
    if (this.process) await this.kill();
    await this.run();
  }

  /** Ends the program and removes its data. */
  async stop(): Promise<void> {
    await this.end("SIGTERM");
    await rm(this.data, { recursive: true, force: true });
  }

  /** Asks GraphQL as the owner. */
  async ask<D = Record<string, never>>(query: string, variables: Record<string, unknown> = {}): Promise<D> {
    const headers = { "content-type": "application/json", authorization: `Bearer ${this.key ?? ""}` };
    const response = await fetch(`${this.url}/graphql`, {
      method: "POST",
      headers,
      body: JSON.stringify({ query, variables }),
    });
    const answer = (await response.json()) as Answer<D>;
    if (answer.errors) throw new Error(JSON.stringify(answer.errors));
    return answer.data;
  }

  /** Runs a verb of the program with this server, as the owner, and answers what it printed. */
  async verb(...words: string[]): Promise<string> {
    const env = { ...process.env, TIMELOOM_TOKEN: this.key };
    const { stdout } = await promisify(execFile)(PROGRAM, [...words, "--server", this.url], { env });
    return stdout;
  }

  /** Sends JSON to another address of the program than GraphQL's, as the owner. */
  post(path: string, body: unknown): Promise<Response> {
    return this.send("POST", path, JSON.stringify(body), "application/json");
  }

  /** Sends bytes to an address of the program, as the owner. */
  send(method: string, path: string, body: BodyInit, type = "application/octet-stream"): Promise<Response> {
    const headers = { "content-type": type, authorization: `Bearer ${this.key ?? ""}` };
    return fetch(this.url + path, { method, headers, body });
  }

  /** Imports a workflow file and answers its id, once lists show it. */
  async importWorkflow(definition: unknown): Promise<string> {
    const { importWorkflow } = await this.ask<{
      importWorkflow: { workflowId: string; position: string; errors: unknown[] };
    }>(
      "mutation($input: ImportWorkflowInput!) { importWorkflow(input: $input) { workflowId position errors { message } } }",
      { input: { definition } },
    );
    expect(importWorkflow.errors).toEqual([]);
    await this.settled(importWorkflow.position);
    return importWorkflow.workflowId;
  }

  /** Runs a workflow to its end and answers the execution's id, once lists show it. */
  async execute(workflowId: string, timeoutMs = 30_000): Promise<string> {
    const { startExecution } = await this.ask<{
      startExecution: { executionId: string; position: string; errors: unknown[] };
    }>(
      "mutation($input: StartExecutionInput!) { startExecution(input: $input) { executionId position errors { message } } }",
      { input: { workflowId, mode: "MANUAL", waitFor: "COMPLETED", timeoutMs } },
    );
    expect(startExecution.errors).toEqual([]);
    await this.settled(startExecution.position);
    return startExecution.executionId;
  }

  /** Waits until rows show a position. */
  async settled(position: string): Promise<void> {
    const query = "query($position: Position!) { executions(first: 1, waitFor: $position) { nodes { id } } }";
    await this.ask(query, { position });
  }

  /**
   * Signs a page's browser in as the owner, by the form that people use. Later ones go on with that session while it lasts: who
   * signs in more than ten times a minute is told to wait.
   */
  async signIn(page: Page, next = "/"): Promise<void> {
    await page.context().addCookies(this.session);
    await page.goto(`${this.url}${next}`);
    if (!new URL(page.url()).pathname.startsWith("/sign-in")) return;
    await page.goto(`${this.url}/sign-in?next=${encodeURIComponent(next)}`);
    await page.getByLabel("E-mail address").fill("owner@localhost");
    await page.getByLabel("Password").fill(PASSWORD);
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    await page.waitForURL((url) => !url.pathname.startsWith("/sign-in"));
    this.session = await page.context().cookies(this.url);
  }

  /** Uses the link up, as a newcomer does, and makes a key. */
  private async takeOwner(): Promise<void> {
    const token = new URL(this.link()).searchParams.get("token") ?? "";
    const signedIn = await this.form("/sign-in/link", { token }, undefined);
    const cookie = signedIn.headers.getSetCookie()[0]?.split(";")[0];
    if (cookie === undefined) throw new Error(`the link did not let in: ${await signedIn.text()}`);
    await this.form("/account/password", { password: PASSWORD }, cookie);
    const asked = async (query: string, variables: Record<string, unknown> = {}) => {
      const headers = { "content-type": "application/json", cookie, origin: this.url, "sec-fetch-site": "same-origin" };
      const response = await fetch(`${this.url}/graphql`, {
        method: "POST",
        headers,
        body: JSON.stringify({ query, variables }),
      });
      return (await response.json()) as Answer<Record<string, never>>;
    };
    const viewer = (await asked("{ viewer { account { id } } }")) as unknown as Answer<{
      viewer: { account: { id: string } };
    }>;
    const made = (await asked(
      'mutation($id: UUID!) { makeApiKey(input: { accountId: $id, name: "tests" }) { token errors { message } } }',
      {
        id: viewer.data.viewer.account.id,
      },
    )) as unknown as Answer<{ makeApiKey: { token: string; errors: unknown[] } }>;
    expect(made.data.makeApiKey.errors).toEqual([]);
    this.key = made.data.makeApiKey.token;
  }

  private form(path: string, fields: Record<string, string>, cookie: string | undefined): Promise<Response> {
    const headers: Record<string, string> = {
      "content-type": "application/x-www-form-urlencoded",
      origin: this.url,
      "sec-fetch-site": "same-origin",
    };
    if (cookie !== undefined) headers.cookie = cookie;
    return fetch(this.url + path, {
      method: "POST",
      redirect: "manual",
      headers,
      body: new URLSearchParams(fields).toString(),
    });
  }

  private async run(): Promise<void> {
    const own = ["--listen", `127.0.0.1:${this.port}`, "--checkpoint-seconds", "1"];
    const flags = ["serve", "--data", this.data, ...own, ...this.flags];
    const child = spawn(PROGRAM, flags, { stdio: ["ignore", "pipe", "pipe"] });
    this.process = child;
    let problem: string | undefined;
    child.on("error", (error) => (problem = error.message));
    child.on("exit", (code) => (problem ??= `it ended with ${code ?? "a signal"}`));
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (bytes: Buffer) => (this.said += bytes.toString()));
    const until = Date.now() + STARTS_IN_MS;
    while (!(await this.isReady())) {
      if (problem !== undefined) throw new Error(`${PROGRAM} did not start: ${problem}\n${this.said}`);
      if (Date.now() > until) throw new Error(`${PROGRAM} is not ready after ${STARTS_IN_MS} ms\n${this.said}`);
    }
  }

  private async isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/health/ready`)).ok;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return false;
    }
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.process;
    this.process = undefined;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await ended;
  }
}

/** A port that nobody listens at. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      const port = typeof address === "object" && address ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

import { RouterProvider } from "@tanstack/react-router";
import { Component, type ReactNode } from "react";
import { Provider } from "urql";
import { client } from "../api/client";
import { router } from "./routes";

export function App() {
  return (
    <LastResort>
      <Provider value={client}>
        <RouterProvider router={router} />
      </Provider>
    </LastResort>
  );
}

/** What is left to show when the shell itself breaks. */
class LastResort extends Component<{ children: ReactNode }, { problem: unknown }> {
  override state: { problem: unknown } = { problem: undefined };

  static getDerivedStateFromError(problem: unknown) {
    return { problem };
  }

  override render() {
    if (this.state.problem === undefined) return this.props.children;
    return (
      <main className="mx-auto max-w-lg p-10">
        <h1 className="text-lg font-semibold">The app broke down</h1>
        <p className="my-3 font-mono text-sm break-words">
          {this.state.problem instanceof Error ? this.state.problem.message : "Something that is no error was thrown."}
        </p>
        <a className="text-accent underline" href="/">
          Load it anew
        </a>
      </main>
    );
  }
}

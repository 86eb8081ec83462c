import { Client, cacheExchange, fetchExchange } from "@urql/core";
import { freshId } from "./ids";
import { leadToSignIn } from "./sign-in";

/** Sends a request under an id of its own, by which its traces in the server's log are found. */
const send: typeof fetch = async (input, init) => {
  const headers = new Headers(init?.headers);
  if (!headers.has("x-request-id")) headers.set("x-request-id", freshId());
  const response = await fetch(input, { ...init, headers, credentials: "same-origin" });
  if (response.status === 401) leadToSignIn();
  return response;
};

export const client = new Client({
  url: "/graphql",
  exchanges: [cacheExchange, fetchExchange],
  fetch: send,
  preferGetMethod: false,
  requestPolicy: "cache-and-network",
});

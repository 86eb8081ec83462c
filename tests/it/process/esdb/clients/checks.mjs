// What the client from npm finds: each line that begins with `held` is one thing that is as it should be.

import assert from "node:assert";
import { randomUUID } from "node:crypto";

import {
  ANY,
  KurrentDBClient,
  NO_STREAM,
  PARK,
  RETRY,
  START,
  STREAM_EXISTS,
  StreamNotFoundError,
  WrongExpectedVersionError,
  binaryEvent,
  eventTypeFilter,
  jsonEvent,
  persistentSubscriptionToStreamSettingsFromDefaults,
} from "@kurrent/kurrentdb-client";

const [place, certificate, key, other] = process.argv.slice(2);
const client = (shown) =>
  KurrentDBClient.connectionString(`kurrentdb://someone:${shown}@${place}?tls=true&tlsCaFile=${certificate}`);

const held = (what, holds = true) => {
  assert.ok(holds, what);
  console.log("held", what);
};
const refused = async (what, act, like) => {
  const error = await act().then(
    () => undefined,
    (error) => error,
  );
  assert.ok(error, `${what}: it was not refused`);
  assert.ok(like(error), `${what}: ${error.stack}`);
  console.log("held", what);
};
const all = async (reading) => {
  const found = [];
  for await (const { event } of reading) found.push(event);
  return found;
};
const fresh = (category = "order") => `${category}-${randomUUID()}`;
const happened = (data = { n: 1 }) => jsonEvent({ type: "Happened", data });

const db = client(key);
const stream = fresh();
const first = [happened({ n: 0 }), binaryEvent({ type: "Bytes", data: Buffer.from([0, 255]) })];
const appended = await db.appendToStream(stream, first, { streamState: NO_STREAM });
held("an append tells the revision", appended.success && appended.nextExpectedRevision === 1n);
const again = await db.appendToStream(stream, first, { streamState: NO_STREAM });
held("the same ids are the same append", again.position.commit === appended.position.commit);
await db.appendToStream(stream, happened(), { streamState: 1n });
await db.appendToStream(stream, happened(), { streamState: STREAM_EXISTS });
await db.appendToStream(stream, [happened(), happened()], { streamState: ANY });
for (const wrong of [NO_STREAM, 1n]) {
  await refused(
    `revision ${wrong} is wrong`,
    () => db.appendToStream(stream, happened(), { streamState: wrong }),
    (error) => error instanceof WrongExpectedVersionError && error.actualState === 5n,
  );
}
const found = await all(db.readStream(stream, { fromRevision: START }));
held("all are there", found.map((event) => event.revision).join() === "0,1,2,3,4,5");
held("JSON comes back", found[0].data.n === 0);
held("bytes come back", Buffer.from(found[1].data).equals(Buffer.from([0, 255])));
const back = await all(db.readStream(stream, { direction: "backwards", fromRevision: "end", maxCount: 2 }));
held("backwards", back.map((event) => event.revision).join() === "5,4");
await refused(
  "a missing stream",
  () => all(db.readStream(fresh())),
  (error) => error instanceof StreamNotFoundError,
);
await refused(
  "streams are never deleted",
  () => db.deleteStream(stream),
  (error) => /never deleted/.test(error.message),
);
await refused(
  "our own categories are not appended to",
  () => db.appendToStream(fresh("workflow"), happened()),
  (error) => /belongs to Timeloom/.test(error.message),
);
held("many appends at once", (await Promise.all(Array.from({ length: 50 }, () => db.appendToStream(fresh(), happened())))).every((done) => done.success));

const kind = `Only${randomUUID()}`;
await db.appendToStream(fresh(), jsonEvent({ type: kind, data: { n: 1 } }));
const subscription = db.subscribeToAll({ fromPosition: START, filter: eventTypeFilter({ prefixes: [kind] }) });
const brought = [];
for await (const { event } of subscription) {
  brought.push(event.data.n);
  if (brought.length === 1) await db.appendToStream(fresh(), [happened(), jsonEvent({ type: kind, data: { n: 2 } })]);
  if (brought.length === 2) break;
}
held("a subscription with a filter catches up and goes on live", brought.join() === "1,2");

const group = fresh("order");
await db.createPersistentSubscriptionToStream(group, "workers", persistentSubscriptionToStreamSettingsFromDefaults());
await db.appendToStream(group, [happened({ n: 0 }), happened({ n: 1 }), happened({ n: 2 })]);
const consumer = db.subscribeToPersistentSubscriptionToStream(group, "workers");
const seen = [];
for await (const given of consumer) {
  const { n } = given.event.data;
  seen.push(`${n}/${given.retryCount}`);
  if (n === 1 && given.retryCount === 0 && !seen.includes("parked")) {
    await consumer.nack(RETRY, "later", given);
  } else if (n === 2 && !seen.includes("parked")) {
    await consumer.nack(PARK, "bad", given);
    seen.push("parked");
    const parked = async () =>
      Number((await db.getPersistentSubscriptionToStreamInfo(group, "workers")).stats.parkedMessageCount);
    while ((await parked()) !== 1) await new Promise((done) => setTimeout(done, 20));
    await db.replayParkedMessagesToStream(group, "workers");
  } else {
    await consumer.ack(given);
    if (n === 2) break;
  }
}
held("a group gives, gives again, puts aside and brings back", ["0/0", "1/0", "1/1", "2/0", "parked"].every((one) => seen.includes(one)) && seen.filter((one) => one === "2/0").length === 2);

await refused(
  "a wrong key",
  () => all(client("wrong").readStream(stream)),
  (error) => /not valid|no key|[Aa]uthenti|[Aa]ccess/.test(`${error.type} ${error.message}`),
);
await refused(
  "another tenant does not see the stream",
  () => all(client(other).readStream(stream)),
  (error) => error instanceof StreamNotFoundError,
);
process.exit(0);

"""What the client from PyPI finds: each line that begins with `held` is one thing that is as it should be."""

import sys
import threading
import uuid

from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient import exceptions as ex

PLACE, CERTIFICATE, KEY, READER, OTHER, KEPT = sys.argv[1:7]
ROOTS = open(CERTIFICATE).read()


CLIENTS = []


def client(key):
    CLIENTS.append(KurrentDBClient(f"kurrentdb://someone:{key}@{PLACE}", root_certificates=ROOTS))
    return CLIENTS[-1]


def held(what, condition=True):
    assert condition, what
    print("held", what)


def refused(what, kind, act, says=""):
    try:
        act()
    except kind as error:
        held(what, says in str(error))
    else:
        raise AssertionError(f"{what}: it was not refused")


def event(kind="Happened", data=b'{"n": 1}', **more):
    return NewEvent(type=kind, data=data, **more)


def fresh(category="order"):
    return f"{category}-{uuid.uuid4()}"


def appends(db):
    stream = fresh()
    first = [event(data=b'{ "n" : 0 }', metadata=b'{"who": "me"}'), event(data=b"\x00\xff", content_type="application/octet-stream")]
    position = db.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=first)
    again = db.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=first)
    held("the same ids are the same append", again == position)
    db.append_to_stream(stream, current_version=1, events=event(data=b'{"n": 2}'))
    db.append_to_stream(stream, current_version=StreamState.ANY, events=[event(), event()])
    db.append_to_stream(stream, current_version=StreamState.EXISTS, events=event())
    for version in (StreamState.NO_STREAM, 2, 99):
        refused(
            f"version {version} is wrong",
            ex.WrongCurrentVersionError,
            lambda version=version: db.append_to_stream(stream, current_version=version, events=event()),
        )
    refused(
        "a stream that is not there does not exist",
        ex.WrongCurrentVersionError,
        lambda: db.append_to_stream(fresh(), current_version=StreamState.EXISTS, events=event()),
    )
    read = db.get_stream(stream)
    held("all are there", [found.stream_position for found in read] == [0, 1, 2, 3, 4, 5])
    held("data comes back byte for byte", [found.data for found in read[:2]] == [b'{ "n" : 0 }', b"\x00\xff"])
    held("so does metadata", read[0].metadata == b'{"who": "me"}' and read[2].metadata == b"")
    held("so do ids and types", [(found.id, found.type) for found in read[:2]] == [(new.id, new.type) for new in first])
    held("content types are told", [found.content_type for found in read[:2]] == ["application/json", "application/octet-stream"])
    back = db.get_stream(stream, backwards=True, limit=2)
    held("backwards", [found.stream_position for found in back] == [5, 4])
    part = db.get_stream(stream, stream_position=2, limit=2)
    held("from a place on", [found.stream_position for found in part] == [2, 3])
    held("the version is told", db.get_current_version(stream) == 5)
    refused("a missing stream", ex.NotFoundError, lambda: db.get_stream(fresh()))
    refused(
        "what says it is JSON and is not",
        ex.KurrentDBClientError,
        lambda: db.append_to_stream(fresh(), current_version=StreamState.ANY, events=event(data=b"{")),
        "says that it is JSON and is not",
    )
    refused(
        "an id with other content",
        ex.KurrentDBClientError,
        lambda: db.append_to_stream(stream, current_version=StreamState.ANY, events=event(id=first[0].id)),
    )
    refused(
        "streams are never deleted",
        ex.KurrentDBClientError,
        lambda: db.delete_stream(stream, current_version=5),
        "never deleted",
    )
    refused("nor tombstoned", ex.KurrentDBClientError, lambda: db.tombstone_stream(stream, current_version=5), "never deleted")
    refused(
        "our own categories are not appended to",
        ex.KurrentDBClientError,
        lambda: db.append_to_stream(fresh("workflow"), current_version=StreamState.ANY, events=event()),
        "belongs to Timeloom",
    )
    refused(
        "nor those that nobody opened",
        ex.KurrentDBClientError,
        lambda: db.append_to_stream(fresh("secret"), current_version=StreamState.ANY, events=event()),
        "timeloom tenant open",
    )
    return stream, read


def reads(db, stream, read):
    everything = list(db.read_all())
    held("the whole log has them in order", [found.id for found in everything if found.stream_name == stream] == [found.id for found in read])
    held("and our own events", any(found.stream_name.startswith("tenant-") for found in everything))
    third = read[2].commit_position
    held("from a position on, with it", next(iter(db.read_all(commit_position=third, limit=1))).id == read[2].id)
    held("backwards, without it", next(iter(db.read_all(commit_position=third, backwards=True, limit=1))).id == read[1].id)
    only = list(db.read_all(filter_include=["Happened"], filter_by_stream_name=False))
    held("by type", {found.type for found in only} == {"Happened"})
    only = list(db.read_all(filter_include=[stream], filter_by_stream_name=True))
    held("by stream", [found.id for found in only] == [found.id for found in read])
    held("the end is told", db.get_commit_position() >= read[-1].commit_position)


def subscribes(db, stream, read):
    with db.subscribe_to_stream(stream, stream_position=2) as subscription:
        found = [next(subscription).stream_position for _ in range(3)]
        held("a subscription begins after its place", found == [3, 4, 5])
        db.append_to_stream(stream, current_version=StreamState.ANY, events=event("Late"))
        held("and goes on live", next(subscription).type == "Late")
    kind = f"Only{uuid.uuid4().hex}"
    with db.subscribe_to_all(filter_include=[kind], include_checkpoints=True, window_size=1) as subscription:
        db.append_to_stream(fresh(), current_version=StreamState.ANY, events=event(kind))
        checkpoints = 0
        for message in subscription:
            if getattr(message, "is_checkpoint", False):
                checkpoints += 1
            elif message.type == kind:
                break
        held("a filter catches up, and tells how far it looked", checkpoints > 0)
        db.append_to_stream(fresh(), current_version=StreamState.ANY, events=[event("Other"), event(kind)])
        found = next(message for message in subscription if not getattr(message, "is_checkpoint", False))
        held("and goes on live", found.type == kind)
    with db.subscribe_to_all(from_end=True) as subscription:
        db.append_to_stream(fresh(), current_version=StreamState.ANY, events=event("Newest"))
        held("from the end on", next(subscription).type == "Newest")


def groups(db):
    stream, group = fresh(), "mailers"
    db.create_subscription_to_stream(group, stream, message_timeout=20, max_retry_count=1, consumer_strategy="RoundRobin")
    refused(
        "a group is made once",
        ex.AlreadyExistsError,
        lambda: db.create_subscription_to_stream(group, stream),
    )
    new = [event(data=b'{"n": %d}' % number) for number in range(4)]
    db.append_to_stream(stream, current_version=StreamState.NO_STREAM, events=new)
    with db.read_subscription_to_stream(group, stream) as subscription:
        found = [next(subscription) for _ in range(4)]
        held("a group gets what is appended", [one.id for one in found] == [one.id for one in new])
        subscription.ack(found[0])
        subscription.nack(found[1], action="skip")
        subscription.nack(found[2], action="park")
        subscription.nack(found[3], action="retry")
        again = next(subscription)
        held("what is given back comes again", (again.id, again.retry_count) == (new[3].id, 1))
        subscription.nack(again, action="retry")
        wait(lambda: db.get_subscription_info(group, stream).parked_message_count == 2)
        held("what comes back too often is put aside, as what is to be")
        db.replay_parked_events(group, stream)
        again = [next(subscription), next(subscription)]
        held("what was put aside comes again", {one.id for one in again} == {new[2].id, new[3].id})
        for one in again:
            subscription.ack(one)
        wait(lambda: db.get_subscription_info(group, stream).last_checkpointed_event_position == "3")
        held("how far it came is told")
    db.append_to_stream(stream, current_version=StreamState.ANY, events=event("Last"))
    with db.read_subscription_to_stream(group, stream) as subscription:
        held("a group goes on where it was", next(subscription).type == "Last")
    held("groups are listed", group in [info.group_name for info in db.list_subscriptions_to_stream(stream)])
    db.update_subscription_to_stream(group, stream, max_retry_count=7)
    held("a group is changed", db.get_subscription_info(group, stream).max_retry_count == 7)
    db.delete_subscription(group, stream)
    refused("a group that is gone", ex.NotFoundError, lambda: db.get_subscription_info(group, stream))
    kind = f"Only{uuid.uuid4().hex}"
    everything = f"all-{uuid.uuid4()}"
    db.create_subscription_to_all(everything, filter_include=[kind], from_end=True)
    db.append_to_stream(fresh(), current_version=StreamState.ANY, events=[event("Other"), event(kind)])
    with db.read_subscription_to_all(everything) as subscription:
        one = next(subscription)
        subscription.ack(one)
        held("a group over the whole log", one.type == kind)


def wait(holds):
    """Asks until it holds; the test that runs this ends it should it never hold."""
    while not holds():
        threading.Event().wait(0.05)


def access(stream):
    refused("a wrong key", ex.UnauthenticatedError, lambda: client("wrong").get_stream(stream))
    reader = client(READER)
    held("a key that may read reads", len(reader.get_stream(stream)) > 0)
    refused(
        "and appends nothing",
        ex.KurrentDBClientError,
        lambda: reader.append_to_stream(stream, current_version=StreamState.ANY, events=event()),
        "event:append",
    )
    other = client(OTHER)
    refused("another tenant does not see the stream", ex.NotFoundError, lambda: other.get_stream(stream))
    held("nor any event of it", all(found.stream_name != stream for found in other.read_all()))
    refused(
        "and has no open category",
        ex.KurrentDBClientError,
        lambda: other.append_to_stream(stream, current_version=StreamState.ANY, events=event()),
        "timeloom tenant open 1 order",
    )


def before_the_crash(db):
    new = [event(data=b'{"n": %d}' % number) for number in range(3)]
    db.append_to_stream(KEPT, current_version=StreamState.NO_STREAM, events=new)
    db.create_subscription_to_stream("kept", KEPT, checkpoint_after=0.05, max_checkpoint_count=1)
    with db.read_subscription_to_stream("kept", KEPT) as subscription:
        found = [next(subscription) for _ in range(3)]
        subscription.ack(found[0])
        subscription.nack(found[1], action="park")
        wait(lambda: db.get_subscription_info("kept", KEPT).parked_message_count == 1)
        wait(lambda: db.get_subscription_info("kept", KEPT).last_checkpointed_event_position == "1")


def after_the_crash(db):
    info = db.get_subscription_info("kept", KEPT)
    held("what was put aside is there after a crash", info.parked_message_count == 1)
    db.replay_parked_events("kept", KEPT)
    with db.read_subscription_to_stream("kept", KEPT) as subscription:
        found = {next(subscription).stream_position for _ in range(2)}
        held("what was settled is not given again, and the rest is", found == {1, 2})


DB = client(KEY)
if sys.argv[7:] == ["after"]:
    after_the_crash(DB)
else:
    STREAM, READ = appends(DB)
    reads(DB, STREAM, READ)
    subscribes(DB, STREAM, READ)
    groups(DB)
    access(STREAM)
    before_the_crash(DB)
# A channel that is left to the end of the program waits for threads that have ended.
for one in CLIENTS:
    one.close()

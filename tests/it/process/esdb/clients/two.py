"""What consumers of one group find at two servers of one database: the second refuses them until the first is killed."""

import os
import signal
import sys
import time

from kurrentdbclient import KurrentDBClient, NewEvent, StreamState
from kurrentdbclient import exceptions as ex

FIRST, SECOND, FIRST_PID = sys.argv[1:4]
STREAM, GROUP = "order-shared", "mailers"


def held(what, condition=True):
    assert condition, what
    print("held", what)


def refused():
    try:
        with second.read_subscription_to_stream(GROUP, STREAM) as subscription:
            next(subscription)
    except ex.KurrentDBClientError as error:
        return str(error)
    return None


first, second = [KurrentDBClient(f"esdb://{place}?tls=false") for place in (FIRST, SECOND)]
new = [NewEvent(type="Happened", data=b"{}") for _ in range(3)]
first.append_to_stream(STREAM, current_version=StreamState.NO_STREAM, events=new)
first.create_subscription_to_stream(GROUP, STREAM, checkpoint_after=0.05, max_checkpoint_count=1)
subscription = first.read_subscription_to_stream(GROUP, STREAM)
found = [next(subscription) for _ in range(3)]
held("the first server gives the group's events", [one.id for one in found] == [one.id for one in new])
held("the second refuses its consumers", "another server of this log serves the consumers" in (refused() or ""))
second.update_subscription_to_stream(GROUP, STREAM, max_retry_count=7)
held("but changes it", first.get_subscription_info(GROUP, STREAM).max_retry_count == 7)
subscription.ack(found[0])
while second.get_subscription_info(GROUP, STREAM).last_checkpointed_event_position != "0":
    time.sleep(0.05)
os.kill(int(FIRST_PID), signal.SIGKILL)
# The database notices within moments that the first one is gone.
until = time.monotonic() + 30
while True:
    try:
        with second.read_subscription_to_stream(GROUP, STREAM) as taken_over:
            again = [next(taken_over) for _ in range(2)]
        break
    except ex.KurrentDBClientError:
        if time.monotonic() > until:
            raise
        time.sleep(0.1)
held("then the second goes on where the first was", [one.id for one in again] == [one.id for one in new[1:]])
second.close()
# The other's threads wait for a server that is gone.
sys.stdout.flush()
os._exit(0)

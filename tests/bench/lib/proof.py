"""That a sample is what it says: every request was answered as it should be, and the policies were in force."""
import contextlib
import os
import time

PATIENCE = 10  # seconds until a line is in the log and a number on the page
SIZES = {"/1k": 1024, "/64k": 65536}


def of_answers(what, load, answer):
    """No error, no other status than 2xx, and bodies as long as the backend's."""
    requests = answer["requests"]
    if requests == 0 or answer["errors"]:
        raise RuntimeError(f"{what} does not answer every request as it should: {answer}")
    if answer["bytes"] < requests * SIZES[load.path]:
        raise RuntimeError(f"{what} does not pass on all that the backend says: {answer}")


@contextlib.contextmanager
def of_policies(what, target, load):
    """The number of requests goes into the list that is handed out. Each must be in the target's access log, if it has
    one. Of the product also in its metrics, as routed by the rule that has the policies, and without a log line lost."""
    has_log = hasattr(target, "log_path") and not load.is_tcp
    is_product = has_log and hasattr(target, "metric")
    lines, counted = lines_of(target) if has_log else 0, counts_of(target) if is_product else 0
    requests = []
    yield requests
    number = sum(requests)
    if has_log:
        await_at_least(f"{what}: lines in the access log", number, lambda: lines_of(target) - lines)
    if is_product:
        await_at_least(f"{what}: istio_requests_total", number, lambda: counts_of(target) - counted)
        if target.metric("fairlead_log_dropped_total"):
            raise RuntimeError(f"{what} has dropped lines of its access log")
        require_route(what, target)
    empty_log(target)


def counts_of(target):
    return target.metric("istio_requests_total", reporter="source", response_code="200", response_flags="-",
                         source_workload="caller", destination_service="shop.default.svc.cluster.local")


def require_route(what, target):
    """The last line: the rule whose policies are measured, and an id."""
    with open(target.log_path(), "rb") as file:
        file.seek(max(0, os.path.getsize(target.log_path()) - 4096))
        line = file.read().splitlines()[-1].decode()
    for part in ('"route_name":"stable"', '"request_id":"'):
        if part not in line.replace('": ', '":'):
            raise RuntimeError(f"{what}: no {part} in the access log: {line}")


def lines_of(target):
    count = 0
    with contextlib.suppress(FileNotFoundError), open(target.log_path(), "rb") as file:
        while block := file.read(1 << 20):
            count += block.count(b"\n")
    return count


def empty_log(target):
    """Lines of a whole run would fill a disk. Whoever appends goes on at its new end."""
    if hasattr(target, "log_path"):
        with contextlib.suppress(FileNotFoundError):
            os.truncate(target.log_path(), 0)


def await_at_least(what, number, count):
    deadline = time.monotonic() + PATIENCE
    while (now := count()) < number:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: {now} of {number} requests; the policies are not all in force")
        time.sleep(0.1)

"""Runs chunks on a Dask cluster: asks each worker for the same rules and product, and outlives workers.

joblib can also run on Dask, but waits for ever where Dask itself reports a failure: a worker that cannot load
the work, or a chunk whose workers died. So chunks go to Dask's own client.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from itertools import chain, islice
from time import monotonic
from uuid import uuid4

from distributed import Client, Future, wait
from distributed.client import FIRST_COMPLETED
from distributed.scheduler import KilledWorker

from model.errors import NdrError
from service.errors import JobRefused, ServiceError
from service.triage.addresses import shown
from service.triage.nouns import Chunk, Done, Execute, Work
from service.triage.work import Options
from service.version import VERSION

AHEAD = 2
"""Chunks that are handed out for each worker: one that is worked on, and one that waits."""

PATIENCE_S = 30.0
"""How long a scheduler may be silent, or have no workers."""

SCHEMES = ("tcp", "tls", "ws", "wss")
"""Of addresses of schedulers; without one it is ``tcp``."""

LOOK_S = 1.0
"""How often it is looked whether there still are workers, while no chunk gets done."""


@dataclass(frozen=True, slots=True)
class Release:
    """What must be the same in all processes that work on a job.

    Args:
        product: the version of ndr-triage.
        rules: the version of the rules, the user's own too.
        model: the version of the classifier.
    """

    product: str
    rules: str
    model: str | None

    @classmethod
    def here(cls, options: Options) -> Release:
        """What this process has.

        Raises:
            NdrError: the rules or the classifier of the options are damaged.
        """
        diagnoser = options.diagnoser()
        return cls(VERSION, diagnoser.rules_version, diagnoser.model_version)

    def check(self, options: Options) -> None:
        """Compares this process.

        Raises:
            JobRefused: it has another product, other rules or another classifier.
        """
        if self.product != VERSION:
            raise JobRefused(f"a worker of the cluster has ndr-triage {VERSION}, not {self.product}")
        try:
            here = Release.here(options)
        except (NdrError, ServiceError, OSError) as error:
            raise JobRefused(
                f"a worker of the cluster cannot load the rules or the classifier: {error}"
            ) from error
        if here.rules != self.rules:
            raise JobRefused(f"a worker of the cluster has other rules: {here.rules}, not {self.rules}")
        if here.model != self.model:
            raise JobRefused(
                f"a worker of the cluster has another classifier: {here.model}, not {self.model}"
            )


@dataclass(frozen=True, slots=True, repr=False)
class Errand:
    """The work on one chunk in a worker of a cluster; what Dask logs of it shows no address.

    Args:
        work: what to do.
        chunk: on what.
        options: what decides on the rows.
        release: what the worker must have.
    """

    work: Work
    chunk: Chunk
    options: Options
    release: Release

    def __call__(self) -> Done:
        """Does the work.

        Raises:
            JobRefused: the worker has another product, other rules or another classifier.
            OSError: as the work does.
        """
        self.release.check(self.options)
        return self.work(self.chunk)

    def __repr__(self) -> str:
        return f"Errand(chunk {self.chunk.number})"


def with_dask(address: str, *, patience_s: float = PATIENCE_S) -> Execute:
    """Runs chunks on the workers of a Dask scheduler, of which there may be more or fewer as time goes by.

    Scheduler and workers need ndr-triage, and see archives and the folder of the job under the same names.

    Args:
        address: of the scheduler, such as ``tcp://127.0.0.1:8786``.
        patience_s: how long it may be silent, or have no workers.
    """

    def execute(work: Work, chunks: Iterable[Chunk]) -> Iterator[Done]:
        waiting = iter(chunks)
        first = next(waiting, None)
        if first is None:
            return
        options: Options = getattr(work, "options", Options())
        release = Release.here(options)
        errands = (Errand(work, chunk, options, release) for chunk in chain((first,), waiting))
        with _connected(address, patience_s) as client:
            cluster = Cluster(client, shown(address), patience_s)
            cluster.check()
            yield from cluster.results(errands)

    return execute


def _connected(address: str, patience_s: float) -> Client:
    """A client of a scheduler.

    Raises:
        JobRefused: none answers there, or it is no address of one.
    """
    scheme, found, _ = address.partition("://")
    if found and scheme not in SCHEMES:
        raise JobRefused(f"{shown(address)} is no Dask scheduler: it must begin with {', '.join(SCHEMES)}")
    with suppress(OSError, ValueError, TypeError):
        return Client(address, timeout=patience_s, set_as_default=False, name="ndr-triage")
    gc.collect()  # ends a client that did not begin: while another begins, it would wait for ever
    raise JobRefused(f"no Dask scheduler answers at {shown(address)}")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A scheduler and its workers, as the one who hands out chunks sees them.

    Args:
        client: is connected to the scheduler.
        name: its address, as it may be shown.
        patience_s: how long it may have no workers.
    """

    client: Client
    name: str
    patience_s: float

    def check(self) -> None:
        """Waits for a worker, and asks all for the code of errands; one without it would die of an errand.

        Raises:
            JobRefused: there are no workers, or one has not this code.
        """
        try:
            self.client.wait_for_workers(1, timeout=self.patience_s)
            found = self.client.run(import_module, __name__, on_error="return")
        except TimeoutError:
            raise self._deserted() from None
        except (OSError, CancelledError) as error:
            raise BrokenExecutor(f"the Dask scheduler at {self.name} went away") from error
        for address, answer in found.items():
            if isinstance(answer, ImportError):
                raise JobRefused(
                    f"the worker {address} of the cluster has no ndr-triage {VERSION}: no {answer.name}"
                ) from answer

    def results(self, errands: Iterator[Errand]) -> Iterator[Done]:
        """What becomes of errands, in any order; a few for each worker are under way at a time.

        Raises:
            BrokenExecutor: workers died over one chunk, or the scheduler did.
            JobRefused: there are no workers, or one cannot do this work.
            OSError: as the work does.
        """
        running: set[Future] = set()
        while True:
            room = AHEAD * max(1, self._workers()) - len(running)
            running.update(self._submit(errand) for errand in islice(errands, max(0, room)))
            if not running:
                return
            done = self._first(running)
            running -= done
            yield from map(_result, done)

    def _submit(self, errand: Errand) -> Future:
        return self.client.submit(errand, key=f"ndr-chunk-{errand.chunk.number}-{uuid4().hex}", pure=False)

    def _first(self, running: set[Future]) -> set[Future]:
        """Those that are done, as soon as one is.

        Raises:
            BrokenExecutor: the scheduler went away.
            JobRefused: it has no workers.
        """
        deadline = monotonic() + self.patience_s
        while True:
            try:
                with self.client.as_current():
                    return set(wait(running, timeout=LOOK_S, return_when=FIRST_COMPLETED).done)
            except TimeoutError:
                if self._workers():
                    deadline = monotonic() + self.patience_s
                elif monotonic() > deadline:
                    raise self._deserted() from None
            except CancelledError as error:
                raise BrokenExecutor(f"the Dask scheduler at {self.name} went away") from error

    def _deserted(self) -> JobRefused:
        return JobRefused(
            f"the Dask scheduler at {self.name} has no workers since {self.patience_s:g} s; they need "
            f"ndr-triage {VERSION}"
        )

    def _workers(self) -> int:
        """How many processes work for the scheduler.

        Raises:
            BrokenExecutor: it went away.
        """
        try:
            return len(self.client.nthreads())
        except (OSError, CancelledError) as error:
            raise BrokenExecutor(f"the Dask scheduler at {self.name} went away") from error


def _result(future: Future) -> Done:
    """What became of an errand.

    Raises:
        BrokenExecutor: its workers died.
        JobRefused: a worker cannot do it.
        OSError: as the work does.
    """
    try:
        done: Done = future.result()
    except (KilledWorker, CancelledError) as error:
        raise BrokenExecutor(str(error)) from error
    except (NdrError, ServiceError, OSError):
        raise
    except Exception as error:
        raise JobRefused(
            f"the Dask cluster cannot do the work: {type(error).__name__}; "
            f"its scheduler and its workers need ndr-triage {VERSION}"
        ) from error
    return done

"""The Dask cluster that a sweep runs on: one on this machine, or an existing one."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from autapse.errors import AutapseError, MissingToolError

_CONNECT_SECONDS = 15


def import_distributed() -> Any:
    """Dask's scheduler; MissingToolError says how to install it."""
    try:
        import distributed
    except ImportError:
        raise MissingToolError("dask is not installed: pip install 'autapse[sweep]'") from None
    return distributed


@contextmanager
def connect(scheduler: str | None = None, workers: int | None = None) -> Iterator[Any]:
    """A client of the scheduler at an address like ``tcp://host:8786``; without one, of a cluster on this machine.

    The latter has `workers` processes, one for each core unless given. A process that dies is started again, and what
    it did is done again. When the block ends, it and the tools that it started are gone.
    """
    distributed = import_distributed()
    if scheduler is not None:
        try:
            client = distributed.Client(scheduler, timeout=_CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise AutapseError(f"{scheduler}: no Dask scheduler answers: {error}") from None
        with client:
            yield client
        return
    count = os.cpu_count() if workers is None else workers
    with (
        tempfile.TemporaryDirectory(prefix="autapse-sweep-", ignore_cleanup_errors=True) as scratch,
        distributed.LocalCluster(
            n_workers=count,
            threads_per_worker=1,  # the tools are processes of their own, with a thread each
            memory_limit=0,  # nor does Dask see their memory
            dashboard_address=None,
            local_directory=scratch,
            preload=["autapse_boards.sweep.worker"],
            silence_logs=logging.CRITICAL,  # a killed worker is our business, and the row's
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        try:
            yield client
        finally:
            _stop_tools(cluster)


def _stop_tools(cluster: Any) -> None:
    """End what the workers started: they would wait for it, and it would outlive them."""
    import psutil

    for nanny in cluster.workers.values():
        try:
            running = psutil.Process(nanny.pid).children(recursive=True)
        except (psutil.NoSuchProcess, TypeError, ValueError):  # this worker is gone already
            continue
        for process in running:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue

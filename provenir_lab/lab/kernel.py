"""The kernel that runs a notebook for papermill: what it says of itself, and how it may end."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from provenir_lab.errors import LabError

if TYPE_CHECKING:
    from jupyter_client.manager import AsyncKernelManager


@contextmanager
def own_kernel() -> Iterator[type[AsyncKernelManager]]:
    """The manager of a kernel whose own messages (of its transport, of tasks that Ctrl-C left) are not shown.

    Raises LabError, with the last of those messages, if the kernel dies or does not start.
    """
    from jupyter_client.kernelspec import NoSuchKernel
    from jupyter_client.manager import AsyncKernelManager

    papermill_log, asyncio_log = logging.getLogger("papermill"), logging.getLogger("asyncio")
    before = papermill_log.level
    papermill_log.setLevel(logging.CRITICAL)  # errors come as exceptions
    with tempfile.TemporaryFile() as said:

        class Manager(AsyncKernelManager):
            def start_kernel(self, **options: Any) -> Any:
                return super().start_kernel(**options, stderr=said)

        try:
            yield Manager
        except KeyboardInterrupt:
            asyncio_log.setLevel(logging.CRITICAL)  # for good: the task that is left is collected later
            raise
        except NoSuchKernel as error:
            raise LabError(
                f"Jupyter knows no kernel {error.name}: python -m ipykernel install --sys-prefix makes one"
            ) from None
        except RuntimeError as error:  # nbclient's DeadKernelError among them
            said.seek(0)
            *_, last = [b"", *said.read().splitlines()]
            words = last.decode("utf-8", "replace").strip() or error
            raise LabError(
                f"the notebook's kernel is gone ({words}): killed, out of memory or not started; finished "
                "runs are kept"
            ) from None
        finally:
            papermill_log.setLevel(before)

"""A way to PostgreSQL over a TCP proxy that cuts one connection at its COMMIT, or falls silent."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

BEFORE, AFTER = "before", "after"
"""Whether the COMMIT is lost, or the answer to it once the server has committed."""
DEAF = "deaf"
"""Nothing more is taken from the client and nothing is closed, as when a network falls silent."""


class CuttingProxy:
    """Forwards bytes between clients and a server on this machine; a context manager.

    The `at`-th transaction that writes `processing_log` loses its connection at the COMMIT; with `DEAF`
    it is not heard from its rows of that table on, and the server sees its end once another connection is
    made.
    """

    def __init__(self, server_port: int, at: int, when: str) -> None:
        self._server_port = server_port
        self._at = at
        self._when = when
        self._deaf: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        if when == DEAF:  # what is not read soon fills it
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        self.port: int = self._listener.getsockname()[1]
        self.written = 0
        """Transactions that have sent rows of `processing_log`, the cut one among them."""

    def __enter__(self) -> CuttingProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                while self._deaf:
                    self._deaf.pop().shutdown(socket.SHUT_RDWR)
                server = socket.create_connection(("127.0.0.1", self._server_port))
                cut = threading.Event()
                threading.Thread(target=self._upwards, args=(client, server, cut), daemon=True).start()
                threading.Thread(target=_downwards, args=(client, server, cut), daemon=True).start()

    def _upwards(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        mine = 0
        with suppress(OSError), client, server:
            while data := client.recv(65536):
                if b"COPY " in data and b"processing_log (" in data:
                    self.written += 1
                    mine = self.written
                if mine == self._at and b"COMMIT" in data:
                    if self._when == AFTER:
                        cut.set()
                        server.sendall(data)
                        threading.Event().wait(0.5)  # the answer has come and is thrown away
                    break
                server.sendall(data)
                if mine == self._at and self._when == DEAF:
                    self._deaf.append(server)
                    threading.Event().wait()
            for end in (client, server):  # closing alone does not wake whoever reads
                end.shutdown(socket.SHUT_RDWR)


def _downwards(client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
    with suppress(OSError):
        while (data := server.recv(65536)) and not cut.is_set():
            client.sendall(data)
        if not cut.is_set():
            client.shutdown(socket.SHUT_RDWR)

"""Serving the page on the loopback address until a signal comes, or the board is gone."""

from __future__ import annotations

import secrets
import socket
from typing import Any

from autapse.errors import AutapseError, MissingToolError
from autapse.live.player import Player

ADDRESS = "127.0.0.1"
_ORDER_BYTES = 4096  # of the longest order
_CLOSE_SECONDS = 1


def new_token() -> str:
    """A secret for the address of the page."""
    return secrets.token_urlsafe(24)


def listen(port: int = 0) -> socket.socket:
    """A socket on the loopback address; port 0 is any free one. AutapseError if the port is in use."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((ADDRESS, port))
        bound.listen()
    except OSError as error:
        bound.close()
        raise AutapseError(f"{ADDRESS}:{port} cannot be listened on: {error.strerror}; try another --listen") from error
    return bound


def page_url(bound: socket.socket, token: str) -> str:
    """The address of the page."""
    return f"http://{ADDRESS}:{bound.getsockname()[1]}/{token}/"


def serve(player: Player, bound: socket.socket, token: str) -> None:
    """Serve the page on a socket of :func:`listen`, and close it; returns, or raises what ended the player.

    SIGINT and SIGTERM end it, and are raised again afterwards. Needs ``pip install 'autapse[live]'``.
    """
    try:
        import uvicorn
        import websockets  # noqa: F401  (uvicorn looks it up by name)

        from autapse.live.app import create_app
    except ImportError as error:
        bound.close()
        raise MissingToolError(f"{error.name} is not installed: pip install 'autapse[live]'") from error

    class Server(uvicorn.Server):
        async def on_tick(self, counter: int) -> bool:
            return await super().on_tick(counter) or player.failure is not None

    settings: dict[str, Any] = {
        "lifespan": "on",
        "log_config": None,
        "access_log": False,  # it would hold the token
        "server_header": False,
        "ws": "websockets-sansio",
        "ws_max_size": _ORDER_BYTES,
        "timeout_graceful_shutdown": _CLOSE_SECONDS,
    }
    with bound:
        Server(uvicorn.Config(create_app(player, token), **settings)).run(sockets=[bound])
    if player.failure is not None:
        raise player.failure

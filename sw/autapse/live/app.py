"""The pages' server: files of the page, and a WebSocket that carries messages one way and orders the other.

Whoever can reach the loopback address is not trusted: every request needs the token in its path, and a Host that is
this machine, so that a page of another site can neither guess the address nor have its own name lead here.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from autapse.live.messages import read_order
from autapse.live.player import Player

HOSTS = ("127.0.0.1", "localhost")
#: A page that is so many messages behind loses the oldest.
_BEHIND = 200
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


class Hub:
    """Takes the messages of the board's thread to the pages that are open."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.pages: set[asyncio.Queue[str]] = set()

    def publish(self, message: dict[str, Any]) -> None:
        """Hand a message to all pages; from any thread."""
        text = json.dumps(message, separators=(",", ":"), allow_nan=False)
        with suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(self._spread, text)

    def _spread(self, text: str) -> None:
        for page in self.pages:
            if page.full():
                page.get_nowait()
            page.put_nowait(text)


class Gate:
    """Lets in what has the token, and no other site's page; every answer gets the headers."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = scope["path"].lstrip("/").partition("/")[0]
        origin = headers.get("origin")
        known = secrets.compare_digest(given.encode(), self._token.encode())
        if not known or (origin is not None and origin != f"http://{headers.get('host')}"):
            await PlainTextResponse("Not found", 404)(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await self._app(scope, receive, with_headers)


def create_app(player: Player, token: str) -> Starlette:
    """The application; it starts the player, which must not have been started, and stops it at its end."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.hub = hub = Hub()
        player.publish = hub.publish
        player.start()
        yield
        await asyncio.to_thread(player.stop)

    async def page(socket: WebSocket) -> None:
        await socket.accept()
        await _attend(socket, player, socket.app.state.hub)

    return Starlette(
        routes=[
            Mount(
                f"/{token}",
                routes=[
                    WebSocketRoute("/board", page),
                    Mount("/", StaticFiles(packages=[("autapse.live", "page")], html=True)),
                ],
            )
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS), www_redirect=False),
            Middleware(Gate, token=token),
        ],
        lifespan=lifespan,
    )


async def _attend(socket: WebSocket, player: Player, hub: Hub) -> None:
    """Serve one page until it goes."""
    messages: asyncio.Queue[str] = asyncio.Queue(_BEHIND)
    hub.pages.add(messages)
    player.ask(Player.join_in)
    try:
        async with asyncio.TaskGroup() as both:
            telling = both.create_task(_tell(socket, messages))
            both.create_task(_listen(socket, player, messages)).add_done_callback(lambda _: telling.cancel())
    finally:
        hub.pages.discard(messages)
        player.ask(Player.leave)


async def _tell(socket: WebSocket, messages: asyncio.Queue[str]) -> None:
    with suppress(WebSocketDisconnect):
        while True:
            await socket.send_text(await messages.get())


async def _listen(socket: WebSocket, player: Player, messages: asyncio.Queue[str]) -> None:
    with suppress(WebSocketDisconnect):
        while True:
            try:
                player.ask(read_order(await socket.receive_text(), player))
            except ValueError as error:
                await socket.send_text(json.dumps({"is": "note", "text": str(error)}))

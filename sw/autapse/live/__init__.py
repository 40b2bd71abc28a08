"""A board that is watched and played with in the browser: state and outputs as they move.

The board's thread (:class:`Player`) steps the device and says what happened; a small server hands that to the pages,
and the pages' orders to the board::

    with Device(SerialTransport("/dev/ttyUSB1", 1_000_000)) as device:
        serve(Player(Board(device)), listen(), new_token())
"""

from autapse.live.board import Board
from autapse.live.player import Player
from autapse.live.server import listen, new_token, page_url, serve

__all__ = ["Board", "Player", "listen", "new_token", "page_url", "serve"]

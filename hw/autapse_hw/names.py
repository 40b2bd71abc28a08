"""Names that every pass of yosys takes."""

import re


def plain_names(rtlil: str) -> str:
    """RTLIL without brackets inside names.

    Amaranth calls the elements of an array ``a[0]``, which abc9 in yosys takes for bits of ``a`` and aborts: "Assert
    `GetSize(conn.first) == GetSize(conn.second)' failed", or "`count_id(wire->name) == 0'" (yosys issue 4349).
    """
    return re.sub(r"\\[^\s\"]*\[\S*", lambda match: match[0].replace("[", "_").replace("]", "_"), rtlil)

"""Options of the host driver."""

from __future__ import annotations

from typing import Literal

import msgspec


class HostOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the machine's parts are looked for.

    `root` is the folder that has the machine's `proc`, `sys` and `dev`.

    `source` is `files` (Linux), `psutil` (what macOS offers) or `auto`: files where there is a `proc`.

    `kernel` is where kernel messages come from: `kmsg`, the `journal` by way of the program `journalctl`, or
    `auto`: the journal where `/dev/kmsg` may not be read.

    `tokens` is where Dell's SMBIOS tokens come from: the kernel's `sysfs` folder tells the firmware's table,
    the `tool` of libsmbios (the program `token_tool`) tells how each token is set.  `auto` is the folder, and
    the tool where there is no folder, the machine is a Dell and this user is root.
    """

    root: str = "/"
    source: Literal["auto", "files", "psutil"] = "auto"
    kernel: Literal["auto", "kmsg", "journal"] = "auto"
    tokens: Literal["auto", "sysfs", "tool"] = "auto"
    journalctl: str = "journalctl"
    token_tool: str = "smbios-token-ctl"

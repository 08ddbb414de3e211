# SPDX-License-Identifier: GPL-2.0-only
"""What an image of the corpus is, and the logs that most of them start from.

Always true: an Image says what docs/format.md makes of it, decided here by hand; no reader was asked.
"""
from writer import Log

OK, DEVICE, DAMAGE = 0, 3, 5    # exit codes of jbdctl log verify
IMAGES = {}


class Image:
    """what, device; verify: exit code; keep: records that a recovery brings home, None: there is no recovery; handed:
    records accepted by a scan, more than keep if payload that was durable has rotted; kernel: accept, refuse, eio
    (accepted, and reading the volume fails) or - (no such device can be made)."""

    def __init__(self, what, verify, kernel, golden):
        self.what, self.verify, self.golden = what, verify, golden
        self.kernel = kernel or ("accept" if verify == OK else "refuse")
        self.device, self.keep, self.handed, self.home = b"", None, 0, "-"

    def take(self, made):
        if not isinstance(made, Log):
            self.device = made
            return
        self.device = made.device
        if self.verify == DEVICE:
            return
        keep = getattr(made, "keep", made.records)
        self.handed = getattr(made, "handed", len(keep or ()))
        if keep is not None:
            self.keep, self.home = len(keep), made.home_sum(keep)


def image(what, verify=OK, kernel=None, golden=False, name=None, words=()):
    """The decorated function, called with @words, returns a Log or bytes."""
    def register(make):
        entry = Image(what, verify, kernel, golden)
        entry.take(make(*words))
        key = name or make.__name__.replace("_", "-")
        assert key not in IMAGES, key
        IMAGES[key] = entry
        return make
    return register


def some(**shape):
    """Four acknowledged records in two epochs, and both superblocks."""
    log = Log(**shape)
    log.write_super()
    log.commit(("data", 8, 3), ("data", 100, 2))
    log.commit(("data", 9, 1))
    log.epoch += 1
    log.commit(("data", 200, 5))
    log.commit(("data", 100, 1), ("data", 1, 4))
    return log


def keep(log, count):
    log.keep = log.records[:count]
    return log


def sealed_lap():
    """A log one lap on, whose payload ends with a crc of its own; and what its device holds."""
    log = Log()
    log.sealed = True
    log.write_super()
    for i in range(16):
        log.commit(("data", 16 * i, 15))
    log.tail_behind(log.records[10])
    return log, bytes(log.device)


def many_extents():
    """Enough for four descriptors of a unit of one sector."""
    return [("discard" if i % 7 == 3 else "data", 300 + i * 10, 1 + i % 2) for i in range(80)]


def described():
    """A record of many descriptors between two small ones."""
    log = Log(record_max=256, area_len=1024)
    log.write_super()
    log.commit(("data", 8, 3))
    log.commit(*many_extents())
    log.commit(("data", 310, 1))
    return log

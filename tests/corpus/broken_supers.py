# SPDX-License-Identifier: GPL-2.0-only
"""Superblocks that do not count, devices that are cut short, and what is no log at all."""
import random

from classes import DAMAGE, DEVICE, image, some
from writer import Log


def unusable(log):
    """No superblock counts: nothing is recovered."""
    log.keep = None
    return log


def moved():
    """Some records, the tail behind the second; slot 0 has the newest superblock."""
    log = some()
    log.tail_behind(log.records[1])
    return log


def rot(log, slot):
    log.device[slot * 65536 + 300] ^= 4
    return log


@image("The newest superblock is torn: the one before it counts, and the log is still whole from there.")
def slot_newest_torn():
    return rot(moved(), 0)


@image("The older superblock is torn.")
def slot_older_torn():
    log = rot(moved(), 1)
    log.keep = log.records[2:]
    return log


@image("The newest superblock is torn in half: its first sector is new, the rest is old.")
def slot_newest_half():
    log = some()
    log.write_super(durable_seq=2)
    before = bytes(log.device[0:4096])
    log.write_super()
    log.write_super(tail_pos=log.records[1].end, tail_seq=2, tail_crc=log.records[1].crc, durable_seq=4, label=b"changed")
    log.device[512:4096] = before[512:]
    log.device[216:224] = before[216:224]
    return log


@image("The older superblock is zero.")
def slot_older_zero():
    log = moved()
    log.device[65536:65536 + 4096] = bytes(4096)
    log.keep = log.records[2:]
    return log


@image("The barrier is in both slots: the newest one torn, what it gave up stays given up.")
def slot_newest_torn_after_barrier():
    log = some()
    log.recover(log.records[2])
    log.keep = log.records[:3]
    return rot(log, log.generation % 2)


@image("Both superblocks are torn.", verify=DAMAGE)
def slots_torn():
    return unusable(rot(rot(moved(), 0), 1))


@image("One superblock is torn, the other one zero.", verify=DAMAGE)
def slots_torn_and_zero():
    log = rot(moved(), 0)
    log.device[65536:65536 + 4096] = bytes(4096)
    return unusable(log)


@image("Both superblocks are zero; the records are whole.", verify=DEVICE)
def slots_zero():
    log = moved()
    log.device[:65536 + 4096] = bytes(65536 + 4096)
    return log


@image("Both superblocks are of version 2.", verify=DEVICE)
def version_newer():
    log = some()
    for slot in (0, 1):
        log.slot_says(slot, version=2)
    return unusable(log)


@image("The older superblock is of version 2: whoever wrote it knew more than this version.", verify=DEVICE)
def version_newer_in_one_slot():
    log = moved()
    log.slot_says(1, version=2)
    return unusable(log)


@image("The newest superblock has an incompat bit that this version does not know.", verify=DEVICE)
def incompat_unknown():
    log = some()
    log.write_super(incompat=1 << 17)
    return unusable(log)


@image("The superblocks are of different nonces.", verify=DAMAGE)
def nonce_changed():
    log = moved()
    log.slot_says(1, nonce=0xfedcba9876543210)
    return unusable(log)


@image("The superblocks are of different uuids.", verify=DAMAGE)
def uuid_changed():
    log = moved()
    log.slot_says(1, uuid=bytes(range(1, 17)))
    return unusable(log)


# Numbers in the newest superblock, its checksum good, that cannot be.
IMPOSSIBLE = {
    "version-zero": {"version": 0}, "unit-zero": {"unit": 0}, "unit-three": {"unit": 3}, "unit-sixteen": {"unit": 16},
    "area-in-slot": {"area_start": 128}, "area-start-beyond-device": {"area_start": 2048},
    "area-start-overflows": {"area_start": (1 << 64) - 8}, "area-too-short": {"area_len": 255},
    "area-beyond-device": {"area_len": 1 << 20}, "area-overflows": {"area_len": (1 << 64) - 8},
    "record-max-too-small": {"record_max": 2}, "record-max-too-large": {"record_max": 1 << 22},
    "no-home": {"home_len": 0}, "home-too-long": {"home_len": 1 << 48},
    "tail-above-durable": {"durable_seq": 1}, "tail-above-all": {"tail_seq": 1 << 63, "durable_seq": 1 << 63},
    "tail-lost": {"barrier_seq": 1, "first_new_seq": 4}, "barrier-above-new": {"barrier_seq": 9, "first_new_seq": 9},
    "checkpoint-above-max": {"ckpt_to_seq": 1 << 63}, "new-above-max": {"first_new_seq": 1 << 63},
    "epoch-above-max": {"epoch": 1 << 63}, "tail-position-above-max": {"tail_pos": 1 << 62},
    "checkpoint-position-above-max": {"ckpt_to_pos": 1 << 62}, "barrier-position-above-max": {"barrier_pos": 1 << 62},
}


def impossible(fields):
    log = moved()
    log.slot_says(0, **fields)
    return unusable(log)


for name, fields in IMPOSSIBLE.items():
    image(f"The newest superblock says what cannot be: {name.replace('-', ' ')}.", verify=DAMAGE,
          name=f"super-{name}", words=(fields,))(impossible)


@image("With a unit of 8 the tail is no multiple of it.", verify=DAMAGE)
def super_tail_between_units():
    log = some(unit=8)
    log.write_super(tail_pos=12)
    return unusable(log)


@image("The device ends within the area.", verify=DAMAGE)
def cut_in_area():
    log = some()
    log.device = log.device[:300 * 512]
    return unusable(log)


@image("The device ends before the second superblock.", verify=DAMAGE)
def cut_before_slot():
    log = some()
    log.device = log.device[:65536]
    return unusable(log)


@image("The device ends within the second superblock.", verify=DAMAGE)
def cut_in_slot():
    log = some()
    log.device = log.device[:65536 + 2048]
    return unusable(log)


@image("A file without a byte.", verify=DEVICE, kernel="-")
def no_length():
    return b""


@image("A file of 100 bytes, the first of a log.", verify=DEVICE, kernel="-")
def too_short():
    return some().device[:100]


@image("A file of two sectors, the first of a log.", verify=DEVICE)
def two_sectors():
    return some().device[:1024]


@image("A device of zeroes.", verify=DEVICE)
def no_log_zeroes():
    return bytes(len(Log().device))


@image("A device with an ext4 superblock.", verify=DEVICE)
def no_log_ext4():
    device = bytearray(len(Log().device))
    device[1024:1024 + 256] = random.Random(4).randbytes(256)
    device[1024 + 56:1024 + 58] = b"\x53\xef"
    return device


@image("A device that begins with random bytes, and has them where the second superblock would be.", verify=DEVICE)
def no_log_random():
    device = bytearray(len(Log().device))
    for at in (0, 65536):
        device[at:at + 4096] = random.Random(at).randbytes(4096)
    return device

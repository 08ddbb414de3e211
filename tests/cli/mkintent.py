# SPDX-License-Identifier: GPL-2.0-only
"""mkintent.py INTENT EXPECT < SCRIPT: batches on an intent device, written from docs/format.md alone.

A line of the script is one of

    batch N EXTENT..    a batch that is to be applied; EXPECT is changed as it says
    old N EXTENT..      the same, but EXPECT is not changed: it is not to be applied
    torn N EXTENT..     the last four sectors of the commit block did not reach the device
    rotten N EXTENT..   a bit of the last payload sector is wrong
    lost N EXTENT..     the descriptors did not reach the device
    lie N FIELD=VALUE.. EXTENT..   the commit block says so, checksum and all
    beyond N EXTENT..   the last extent is a sector longer than the home, checksum and all
    retire N            both superblocks retire batch N
    half N              one of them does
    says FIELD=VALUE..  a superblock that says so

and an EXTENT is KIND:HOME+LEN, where KIND is data, discard or zeroes.

Always true: offsets, sizes and constants are the document's; nothing of the C source is read. The payload of a sector says
the batch and the home sector that it is for.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../corpus"))
sys.dont_write_bytecode = True
from docformat import CONSTANTS, SECTOR, STRUCTS, crc, number, seed_of    # noqa: E402

BLOCK, STRIDE = CONSTANTS["IFMT_BLOCK"], CONSTANTS["IFMT_SUPER_STRIDE"]
KINDS = {"data": CONSTANTS["JFMT_DATA"], "discard": CONSTANTS["JFMT_DISCARD"], "zeroes": CONSTANTS["JFMT_ZEROES"]}


def put(block, struct, **fields):
    for name, value in fields.items():
        offset, size = STRUCTS[struct][name]
        block[offset:offset + size] = value if isinstance(value, bytes) else value.to_bytes(size, "little")
    return block


class Intent:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.device = bytearray(file.read())
        slots = [self.device[at:at + BLOCK] for at in (0, STRIDE)]
        valid = [slot for slot in slots if slot[:8] == b"\x89JBDint\n"]
        self.super = max(valid, key=lambda slot: number(slot, "ifmt_super", "generation"))
        self.nonce = self["nonce"]

    def __getitem__(self, field):
        return number(self.super, "ifmt_super", field)

    def write_super(self, **fields):
        generation = self["generation"] + 1
        put(self.super, "ifmt_super", **{"generation": generation, **fields, "crc": 0})
        put(self.super, "ifmt_super", crc=crc(0xffffffff, self.super))
        at = generation % CONSTANTS["IFMT_SUPER_SLOTS"] * STRIDE
        self.device[at:at + BLOCK] = self.super

    def write(self, how, batch, lies, extents):
        slot = (self["slot_start"] + batch % 2 * self["slot_len"]) * SECTOR
        descriptors_at = slot + BLOCK
        payload_at = descriptors_at + self["desc_blocks"] * BLOCK
        seed = seed_of(self.nonce) ^ batch & 0xffffffff ^ batch >> 32
        descriptors, payload = bytearray(), bytearray()
        for i, (kind, home, length) in enumerate(extents):
            said = self["home_len"] - home + 1 if how == "beyond" and i + 1 == len(extents) else length
            data = sectors(batch, home, length) if kind == "data" else b""
            descriptors += put(bytearray(16), "jfmt_extent", where=home | KINDS[kind] << CONSTANTS["JFMT_HOME_BITS"],
                               len=said, crc=crc(seed, data) if data else 0)
            payload += data
        commit = put(bytearray(BLOCK), "ifmt_commit", magic=b"\x89JBDbat\n", nr_extents=len(extents), nonce=self.nonce,
                     batch=batch, payload_len=len(payload) // SECTOR, time_ms=1700000000000,
                     desc_crc=crc(seed, descriptors))
        put(commit, "ifmt_commit", **lies)
        put(commit, "ifmt_commit", crc=crc(seed_of(self.nonce), commit))
        if how == "rotten":
            payload[-1] ^= 1
        if how == "torn":
            commit = commit[:BLOCK // 2] + self.device[slot + BLOCK // 2:slot + BLOCK]
        if how != "lost":
            self.device[descriptors_at:descriptors_at + len(descriptors)] = descriptors
        self.device[payload_at:payload_at + len(payload)] = payload
        self.device[slot:slot + BLOCK] = commit


def sectors(batch, home, length):
    return b"".join(b"%5d %8d\n\0" % (batch % 100000, home + i) * 32 for i in range(length))


def main(intent_path, expect_path):
    intent = Intent(intent_path)
    with open(expect_path, "rb") as file:
        expect = bytearray(file.read())
    for line in sys.stdin:
        how, *words = line.split()
        fields = {name: int(value, 0) for name, value in (word.split("=") for word in words if "=" in word)}
        if how == "says":
            intent.write_super(**fields)
            continue
        batch = int(words[0])
        if how in ("retire", "half"):
            for _ in range(CONSTANTS["IFMT_SUPER_SLOTS"] if how == "retire" else 1):
                intent.write_super(retired=batch)
            continue
        extents = []
        for kind, where in (word.split(":") for word in words[1:] if ":" in word):
            home, length = where.split("+")
            extents.append((kind, int(home), int(length)))
        intent.write(how, batch, fields, extents)
        for kind, home, length in extents if how == "batch" else []:
            data = sectors(batch, home, length) if kind == "data" else bytes(length * SECTOR)
            expect[home * SECTOR:(home + length) * SECTOR] = data
    for path, data in ((intent_path, intent.device), (expect_path, expect)):
        with open(path, "wb") as file:
            file.write(data)


main(*sys.argv[1:])

# SPDX-License-Identifier: GPL-2.0-only
"""reader.py HOME OUTDIR LOG..: what logs hold, and the home that each recovers.

Written from docs/format.md alone. OUTDIR/LOG.json says: the slots; the records, each with its extents; how the log ends;
the first record whose payload has rotted; and the checksum of HOME with the records before that one applied.

Always true: a byte of the log is used only after the checksum over it was found right, but for the payload of records
that were durable, which is judged after the fact, as the document allows.
"""
import hashlib
import json
import os
import sys

from docformat import CONSTANTS, SECTOR, STRUCTS, crc, number, payload_crc, seed_of, text, without

SEQ_MAX, POS_MAX = CONSTANTS["JFMT_SEQ_MAX"], CONSTANTS["JFMT_POS_MAX"]
KINDS = {CONSTANTS["JFMT_DATA"]: "data", CONSTANTS["JFMT_DISCARD"]: "discard", CONSTANTS["JFMT_ZEROES"]: "zeroes"}
SUPER_SEQUENCES = ("tail_seq", "durable_seq", "ckpt_to_seq", "barrier_seq", "first_new_seq", "epoch")
SUPER_POSITIONS = ("tail_pos", "ckpt_to_pos", "barrier_pos")


class Super:
    """A superblock that is whole: its fields by name."""

    def __init__(self, block):
        self.block = block

    def __getattr__(self, name):
        return number(self.block, "jfmt_super", name)

    def identity(self):
        return text(self.block, "jfmt_super", "uuid"), self.nonce

    def is_sane(self, device):
        """Within the bounds of the table, on a device of so many sectors?"""
        unit = self.unit
        slots_end = (CONSTANTS["JFMT_SUPER_STRIDE"] + CONSTANTS["JFMT_SUPER_SIZE"]) // SECTOR
        return (self.version != 0 and unit in (1, 2, 4, 8)
                and self.area_start % unit == 0 and self.area_len % unit == 0 and self.record_max % unit == 0
                and self.area_start >= slots_end and self.area_start + self.area_len <= device
                and 2 * unit < self.record_max <= CONSTANTS["JRECORD_LEN_MAX"] and self.area_len >= 4 * self.record_max
                and 1 <= self.home_len < 1 << CONSTANTS["JFMT_HOME_BITS"]
                and all(getattr(self, name) <= SEQ_MAX for name in SUPER_SEQUENCES)
                and all(getattr(self, name) <= POS_MAX and getattr(self, name) % unit == 0 for name in SUPER_POSITIONS)
                and self.tail_seq <= self.durable_seq and self.barrier_seq < self.first_new_seq
                and not self.barrier_seq < self.tail_seq < self.first_new_seq)


def judge_slot(device, i):
    """(verdict, Super or None)"""
    at, size = i * CONSTANTS["JFMT_SUPER_STRIDE"], CONSTANTS["JFMT_SUPER_SIZE"]
    block = device[at:at + size]
    if len(block) < size or text(block, "jfmt_super", "magic") != b"\x89JBDlog\n":
        return "foreign", None
    if number(block, "jfmt_super", "crc") != crc(0xffffffff, without(block, "jfmt_super", "crc")):
        return "torn", None
    found = Super(block)
    if found.version > CONSTANTS["JFMT_VERSION"] or found.incompat & ~CONSTANTS["JFMT_INCOMPAT_ALL"]:
        return "newer", None
    return ("valid", found) if found.is_sane(len(device) // SECTOR) else ("insane", None)


def choose(slots):
    verdicts = [verdict for verdict, _ in slots]
    valid = [found for verdict, found in slots if verdict == "valid"]
    if "newer" in verdicts or "insane" in verdicts or not valid:
        return None
    if len(valid) == 2 and valid[0].identity() != valid[1].identity():
        return None
    best = max(valid, key=lambda found: found.generation)
    best.alone = len(valid) == 1
    return best


class Record:
    def __init__(self, log, pos):
        """The header at position @pos; ValueError if there is none that is whole."""
        s, self.log, self.pos = log.super, log, pos
        block = log.unit_at(pos)
        field = lambda name: number(block, "jfmt_record", name)
        if (field("magic") != CONSTANTS["JFMT_RECORD_MAGIC"] or field("nonce") != s.nonce or field("pos") != pos
                or field("crc") != crc(log.seed, without(block, "jfmt_record", "crc"))):
            raise ValueError("no header")
        self.block = block
        for name in ("crc", "seq", "epoch", "prev_seq", "prev_crc", "len", "tail_pos", "tail_seq", "durable_seq", "nr_desc"):
            setattr(self, name, field(name))
        self.end = pos + self.len
        if not (self.prev_seq < self.seq <= SEQ_MAX and self.epoch <= SEQ_MAX
                and pos <= POS_MAX and pos % s.unit == 0
                and 0 < self.len <= s.record_max and self.len % s.unit == 0 and self.end <= log.next_lap(pos)
                and self.tail_pos <= pos and self.tail_pos % s.unit == 0 and self.end - self.tail_pos <= s.area_len
                and self.tail_seq <= self.durable_seq <= self.prev_seq
                and field("nr_extents") <= 32 * s.unit - 8 and self.nr_desc):
            raise ValueError("header out of bounds")
        self.check_next(0, 0, field("next_desc"))

    def check_next(self, index, offset, following):
        if index == self.nr_desc - 1:
            good = following == 0
        else:
            good = offset < following < self.len and following % self.log.super.unit == 0
        if not good:
            raise ValueError("next_desc out of bounds")

    def extents(self):
        """[(kind, home, len, position of the payload, crc)]; ValueError if a descriptor is torn."""
        found, block, struct, offset = [], self.block, "jfmt_record", 0
        s = self.log.super
        for index in range(self.nr_desc):
            if index:
                struct, block = "jfmt_desc", self.log.unit_at(self.pos + offset)
                field = lambda name: number(block, "jfmt_desc", name)
                if (field("magic") != CONSTANTS["JFMT_DESC_MAGIC"] or field("nonce") != s.nonce
                        or field("seq") != self.seq or field("pos") != self.pos + offset or field("index") != index
                        or field("crc") != crc(self.log.seed, without(block, "jfmt_desc", "crc"))
                        or not 1 <= field("nr_extents") <= 32 * s.unit - 4):
                    raise ValueError("no descriptor")
                self.check_next(index, offset, field("next_desc"))
            following = number(block, struct, "next_desc")
            self.read_extents(block, struct, self.pos + offset + s.unit, self.pos + (following or self.len), found)
            offset = following
        return found

    def read_extents(self, block, struct, payload, payload_end, found):
        first = STRUCTS[struct]["extent"][0]
        for i in range(number(block, struct, "nr_extents")):
            entry = block[first + 16 * i:first + 16 * (i + 1)]
            where, length = number(entry, "jfmt_extent", "where"), number(entry, "jfmt_extent", "len")
            bits = CONSTANTS["JFMT_HOME_BITS"]
            kind, home = KINDS.get(where >> bits), where & ((1 << bits) - 1)
            if not kind or not length or home + length > self.log.super.home_len:
                raise ValueError("extent out of bounds")
            if length > (payload_end - payload if kind == "data" else CONSTANTS["JFMT_NOPAYLOAD_MAX"]):
                raise ValueError("extent too long")
            found.append((kind, home, length, payload, number(entry, "jfmt_extent", "crc")))
            if kind == "data":
                payload += length

    def is_whole(self):
        return all(payload_crc(self.log.seed, self.log.sectors(at, length)) == check
                   for kind, _, length, at, check in self.extents() if kind == "data")


class Log:
    def __init__(self, device, found):
        self.device, self.super = device, found
        self.seed = seed_of(found.nonce)
        self.known_durable = 0
        self.stale = False
        for name in ("durable_seq", "ckpt_to_seq", "barrier_seq"):
            self.note_durable(getattr(found, name))

    def sector_of(self, pos):
        return self.super.area_start + pos % self.super.area_len

    def sectors(self, pos, count):
        at = self.sector_of(pos) * SECTOR
        return self.device[at:at + count * SECTOR]

    def unit_at(self, pos):
        return self.sectors(pos, self.super.unit)

    def next_lap(self, pos):
        return (pos // self.super.area_len + 1) * self.super.area_len

    def is_lost(self, seq):
        return self.super.barrier_seq < seq < self.super.first_new_seq

    def note_durable(self, seq):
        self.known_durable = max(self.known_durable, self.super.barrier_seq if self.is_lost(seq) else seq)

    def record_at(self, pos):
        try:
            return Record(self, pos)
        except ValueError:
            return None

    def follows(self, record, seq, check, epoch):
        s = self.super
        if (record.prev_seq, record.prev_crc) != (seq, check) or record.epoch < epoch:
            return False
        if record.end > s.tail_pos + s.area_len:
            self.stale = True
            return False
        if seq < s.barrier_seq:
            return record.seq < s.barrier_seq or (record.seq, record.crc) == (s.barrier_seq, s.barrier_crc)
        if seq == s.barrier_seq:
            return record.seq >= s.first_new_seq and record.pos in (s.barrier_pos, self.next_lap(s.barrier_pos))
        return True

    def chain(self):
        """The chain, and the position of its end."""
        s, records = self.super, []
        pos, seq, check, epoch = s.tail_pos, s.tail_seq, s.tail_crc, 0
        while True:
            for at in (pos, self.next_lap(pos)):
                record = self.record_at(at)
                if record and self.follows(record, seq, check, epoch):
                    break
            else:
                return records, pos
            records.append(record)
            self.note_durable(record.durable_seq)
            pos, seq, check, epoch = record.end, record.seq, record.crc, record.epoch

    def accepted(self):
        """The accepted records; then known_durable and stale say whether that is all there should be."""
        records, end = self.chain()
        found = []
        for record in records:
            try:
                record.extents()
                if (self.super.alone or record.seq > self.known_durable) and not record.is_whole():
                    break
            except ValueError:
                break
            found.append(record)
        self.look_behind(end, found[-1].seq if found else self.super.tail_seq)
        return found

    def look_behind(self, pos, last):
        s = self.super
        while pos < s.tail_pos + s.area_len:
            own = number(self.unit_at(pos), "jfmt_record", "pos")
            record = None
            if own >= pos and (own - pos) % s.area_len == 0:
                record = self.record_at(own)
            if record and record.seq > last and not self.is_lost(record.seq):
                self.note_durable(record.durable_seq)
                if own == pos:
                    pos += record.len
                    continue
                self.stale = True
            pos += s.unit


def apply(log, record, home):
    for kind, where, length, at, _ in record.extents():
        data = log.sectors(at, length) if kind == "data" else bytes(length * SECTOR)
        home[where * SECTOR:(where + length) * SECTOR] = data


def read(device, home):
    """What the document makes of a log: for people and programs; @home becomes what is recovered."""
    slots = [judge_slot(device, i) for i in range(CONSTANTS["JFMT_SUPER_SLOTS"])]
    result = {"slots": [verdict for verdict, _ in slots], "end": None, "rotten": None, "records": []}
    chosen = choose(slots)
    if not chosen:
        return result
    log = Log(device, chosen)
    records = log.accepted()
    last = records[-1].seq if records else chosen.tail_seq
    result["end"] = "damage" if log.stale or last < log.known_durable else "end"
    for record in records:
        extents = [[kind, where, length] + ([log.sector_of(at), check] if kind == "data" else [])
                   for kind, where, length, at, check in record.extents()]
        result["records"].append([record.seq, record.epoch, record.pos, record.len, record.crc, extents])
    for record in records:
        if not record.is_whole():
            result["rotten"] = record.seq
            break
        apply(log, record, home)
    return result


def main(home_path, out, logs):
    with open(home_path, "rb") as file:
        home = file.read()
    for path in logs:
        with open(path, "rb") as file:
            device = file.read()
        recovered = bytearray(home)
        result = read(device, recovered)
        result["home"] = hashlib.sha256(recovered).hexdigest()
        with open(os.path.join(out, os.path.basename(path) + ".json"), "w", encoding="ascii") as file:
            json.dump(result, file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])

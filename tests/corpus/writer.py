# SPDX-License-Identifier: GPL-2.0-only
"""A writer of logs, from docs/format.md alone.

Always true of a Log: until one of its bytes is changed by hand it obeys section 8 of the document. `records` are all that
were ever written; `home` is what is to be recovered, as long as the caller says which records are (`keep`).
"""
import hashlib

from docformat import CONSTANTS, SECTOR, STRUCTS, crc, payload_crc, seed_of

HOME_LEN = 2048
DEVICE = 1 << 20
NONCE = 0x0123456789abcdef
KINDS = {"data": CONSTANTS["JFMT_DATA"], "discard": CONSTANTS["JFMT_DISCARD"], "zeroes": CONSTANTS["JFMT_ZEROES"]}


def put(block, struct, **fields):
    for name, value in fields.items():
        offset, size = STRUCTS[struct][name]
        if isinstance(value, int):
            value = value.to_bytes(size, "little")
        block[offset:offset + len(value)] = value
    return block


def fresh_home():
    line = b"the home as it was before any journal\n"
    return bytearray((line * (HOME_LEN * SECTOR // len(line) + 1))[:HOME_LEN * SECTOR])


class Record:
    """seq, pos, len, crc, extents [(kind, home, len)], descriptors [offset in sectors], payload [position or None]"""

    @property
    def end(self):
        return self.pos + self.len


class Log:
    def __init__(self, unit=1, record_max=64, area_len=256, area_start=136, first_pos=0, first_seq=1, epoch=0):
        self.device = bytearray(DEVICE)
        self.records = []
        self.seed = seed_of(NONCE)
        self.sealed = False     # does payload end with a crc of its own?
        self.super = {
            "version": CONSTANTS["JFMT_VERSION"], "uuid": bytes(range(16)), "nonce": NONCE, "area_start": area_start,
            "area_len": area_len, "unit": unit, "record_max": record_max, "home_len": HOME_LEN,
            "created_ms": 1700000000000, "tail_pos": first_pos, "tail_seq": first_seq - 1, "durable_seq": first_seq - 1,
            "epoch": epoch, "barrier_seq": first_seq - 1, "barrier_pos": first_pos, "first_new_seq": first_seq,
            "label": b"corpus"}
        self.generation = -1
        self.head = first_pos
        self.next_seq, self.link = first_seq, (first_seq - 1, 0)
        self.epoch, self.durable = epoch + 1, first_seq - 1
        self.head_tail = (first_pos, first_seq - 1)
        self.write_super()

    # superblocks

    def encode_super(self, **fields):
        block = put(bytearray(CONSTANTS["JFMT_SUPER_SIZE"]), "jfmt_super", magic=b"\x89JBDlog\n",
                    **{**self.super, "generation": self.generation, **fields})
        return put(block, "jfmt_super", crc=crc(0xffffffff, block))

    def write_super(self, **fields):
        """The next generation, in its slot. @fields are what it says from now on."""
        self.super.update(fields)
        self.generation += 1
        self.put_slot(self.generation % 2, self.encode_super())

    def put_slot(self, slot, block):
        at = slot * CONSTANTS["JFMT_SUPER_STRIDE"]
        self.device[at:at + len(block)] = block

    def slot_says(self, slot, **fields):
        """Replace what @slot holds by a superblock that says so, checksum and all."""
        generation = self.generation if self.generation % 2 == slot else self.generation - 1
        self.put_slot(slot, self.encode_super(generation=generation, **fields))

    # records

    def byte_of(self, pos):
        return (self.super["area_start"] + pos % self.super["area_len"]) * SECTOR

    def lap_left(self, pos):
        return self.super["area_len"] - pos % self.super["area_len"]

    def write(self, *extents, at=None, header=None, tweak=None, stamp=None):
        """A record that may still be in flight. @header: lies in its header; @tweak(parts): changes the descriptors."""
        record = Record()
        record.extents = list(extents)
        record.seq, record.pos = self.next_seq, self.head if at is None else at
        record.stamp = self.next_seq if stamp is None else stamp
        parts = self.lay_out(record)
        if at is None and record.len > self.lap_left(record.pos):
            record.pos += self.lap_left(record.pos)
            parts = self.lay_out(record)
        record.previous = self.link
        self.seal(record, parts, header or {}, tweak)
        self.next_seq = record.seq + 1
        self.head = record.end
        self.link = (record.seq, record.crc)
        self.records.append(record)
        return record

    def commit(self, *extents, **words):
        """A record that was acknowledged as durable: the next header says so."""
        record = self.write(*extents, **words)
        self.durable = record.seq
        return record

    def data_of(self, record, home, length):
        data = b"".join(b"%5d %8d\n\0" % (record.stamp % 100000, home + i) * 32 for i in range(length))
        return data[:-4] + crc(0xffffffff, data[:-4]).to_bytes(4, "little") if self.sealed else data

    def lay_out(self, record):
        """[[offset, [extents], payload bytes]] a descriptor; sets len, descriptors and payload."""
        unit = self.super["unit"]
        parts, left = [[0, [], b""]], 32 * unit - 8
        record.payload = []
        for kind, home, length in record.extents:
            if not left:
                parts.append([parts[-1][0] + self.whole(unit + len(parts[-1][2]) // SECTOR), [], b""])
                left = 32 * unit - 4
            left -= 1
            part = parts[-1]
            entry, data = {"where": home | KINDS[kind] << CONSTANTS["JFMT_HOME_BITS"], "len": length}, b""
            record.payload.append(record.pos + part[0] + unit + len(part[2]) // SECTOR if kind == "data" else None)
            if kind == "data":
                data = self.data_of(record, home, length)
                entry["crc"] = payload_crc(self.seed, data)
            part[1].append(put(bytearray(16), "jfmt_extent", **entry))
            part[2] += data
        record.descriptors = [part[0] for part in parts]
        record.len = parts[-1][0] + self.whole(unit + len(parts[-1][2]) // SECTOR)
        return parts

    def whole(self, sectors):
        return -(-sectors // self.super["unit"]) * self.super["unit"]

    def seal(self, record, parts, header, tweak):
        size, blocks = self.super["unit"] * SECTOR, []
        for index, (offset, entries, data) in enumerate(parts):
            following = parts[index + 1][0] if index + 1 < len(parts) else 0
            struct = "jfmt_desc" if index else "jfmt_record"
            common = {"nonce": NONCE, "seq": record.seq, "pos": record.pos + offset, "nr_extents": len(entries),
                      "next_desc": following, "extent": b"".join(entries)}
            if index:
                block = put(bytearray(size), struct, magic=CONSTANTS["JFMT_DESC_MAGIC"], index=index, **common)
            else:
                block = put(bytearray(size), struct, magic=CONSTANTS["JFMT_RECORD_MAGIC"], nr_desc=len(parts),
                            epoch=self.epoch, prev_seq=record.previous[0], prev_crc=record.previous[1], len=record.len,
                            tail_pos=self.head_tail[0], tail_seq=self.head_tail[1], durable_seq=self.durable,
                            time_ms=1700000000000 + record.seq % 100000, flags=CONSTANTS["JFMT_RECORD_SYNC"], **common)
                put(block, struct, **header)
            blocks.append((offset, block, data))
        if tweak:
            tweak([block for _, block, _ in blocks])
        for offset, block, data in blocks:
            check = crc(self.seed, block)
            put(block, "jfmt_desc", crc=check)
            at = self.byte_of(record.pos + offset)
            self.device[at:at + size + len(data)] = block + data
            if not offset:
                record.crc = check

    # what happens to a log

    def tail_behind(self, record, **fields):
        """The checkpoint of everything up to @record is done, and the superblock says so."""
        self.head_tail = (record.end, record.seq)
        self.write_super(tail_pos=record.end, tail_seq=record.seq, tail_crc=record.crc, durable_seq=self.durable,
                         ckpt_to_seq=record.seq, ckpt_to_pos=record.end, epoch=self.epoch, **fields)

    def recover(self, last, jump=1 << 32):
        """A recovery accepted everything up to @last, and wrote its barrier into both slots."""
        self.epoch += 1
        self.next_seq += jump
        self.durable = last.seq
        for _ in range(2):
            self.write_super(barrier_seq=last.seq, barrier_pos=last.end, barrier_crc=last.crc, durable_seq=last.seq,
                             first_new_seq=self.next_seq, epoch=self.epoch,
                             recoveries=self.super.get("recoveries", 0) + 1)
        self.head, self.link = last.end, (last.seq, last.crc)

    def sector_at(self, record, offset):
        start = self.byte_of(record.pos + offset)
        return slice(start, start + SECTOR)

    def lose(self, record, first=0, last=None, before=bytes(DEVICE)):
        """Sectors @first up to @last of the record never reached the device, which was like @before."""
        for offset in range(first, record.len if last is None else last):
            at = self.sector_at(record, offset)
            self.device[at] = before[at]

    def flip(self, record, byte):
        self.device[self.byte_of(record.pos) + byte] ^= 0x10

    def home_with(self, records):
        home = fresh_home()
        for record in records:
            for (kind, where, length), at in zip(record.extents, record.payload):
                data = bytes(length * SECTOR)
                if kind == "data":
                    data = self.data_of(record, where, length)
                home[where * SECTOR:(where + length) * SECTOR] = data
        return home

    def home_sum(self, records):
        return hashlib.sha256(self.home_with(records)).hexdigest()

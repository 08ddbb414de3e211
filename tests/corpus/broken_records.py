# SPDX-License-Identifier: GPL-2.0-only
"""Logs that lack what they had promised, and headers that lie under a good checksum."""
from classes import DAMAGE, described, image, keep, sealed_lap, some
from docformat import STRUCTS
from writer import Log, put


def damaged(what, **words):
    return image(what, verify=DAMAGE, **words)


@damaged("A header has a flipped bit, and the record behind it says that it was durable.")
def header_crc():
    log = some()
    log.flip(log.records[2], 90)
    return keep(log, 2)


@damaged("Payload of a record that was durable has a flipped bit. A scan, which does not read it, accepts the record.",
         kernel="eio")
def payload_crc():
    log = some()
    log.flip(log.records[1], 700)
    log.handed = 4
    return keep(log, 1)


@damaged("A part of a record that was durable is of a former lap, and the payload of both ends with a crc of its own.",
         kernel="eio")
def former_lap_durable():
    log, before = sealed_lap()
    torn = log.commit(("data", 0, 15))
    log.lose(torn, 1, before=before)
    log.write(("data", 300, 1))
    log.keep, log.handed = log.records[11:16], 7
    return log


@damaged("The second descriptor of a record that was durable has a flipped bit.")
def descriptor_crc():
    log = described()
    log.flip(log.records[1], log.records[1].descriptors[1] * 512 + 80)
    return keep(log, 1)


@damaged("The first header has a flipped bit: nothing is left, and the log is not empty.")
def first_header_crc():
    log = some()
    log.flip(log.records[0], 20)
    return keep(log, 0)


@damaged("A record is missing below durable_seq of the superblock.")
def hole_below_durable():
    log = some()
    log.write_super(durable_seq=4)
    log.lose(log.records[3])
    return keep(log, 3)


@damaged("Everything is missing below durable_seq of the superblock.")
def area_zeroed():
    log = some()
    log.write_super(durable_seq=4)
    for record in log.records:
        log.lose(record)
    return keep(log, 0)


@damaged("Two records are missing; a header behind the hole says that they were durable.")
def hole_proven():
    log = some()
    log.commit(("data", 70, 9))
    log.lose(log.records[2])
    log.lose(log.records[3])
    return keep(log, 2)


@damaged("The header that proves it lies at the start of the next lap.")
def hole_proven_in_next_lap():
    log = Log(first_pos=200, first_seq=30)
    log.write_super()
    for i in range(3):
        log.commit(("data", 16 * i, 20))
    assert log.records[2].pos == 256
    log.lose(log.records[1])
    return keep(log, 1)


@damaged("A record of a batch that may be partly at home is missing.")
def hole_in_batch():
    log = some()
    log.write_super(durable_seq=2, ckpt_to_seq=4, ckpt_to_pos=log.head)
    log.lose(log.records[3])
    return keep(log, 3)


@damaged("The record that the barrier names is missing.")
def hole_at_barrier():
    log = some()
    log.recover(log.records[2])
    log.lose(log.records[2])
    return keep(log, 2)


@damaged("The record that the barrier names is missing, and nothing but the barrier says that it was durable.")
def hole_at_barrier_alone():
    log = some()
    log.recover(log.records[2])
    log.lose(log.records[2])
    for _ in range(2):
        log.write_super(durable_seq=0)
    return keep(log, 2)


@damaged("The record that the barrier names has another checksum than the barrier says.")
def barrier_checksum():
    log = some()
    log.recover(log.records[2])
    for _ in range(2):
        log.write_super(barrier_crc=0xabcdef01)
    return keep(log, 2)


@damaged("Behind the barrier lies a record that is not where the barrier says.")
def barrier_position():
    log = some()
    log.recover(log.records[2])
    log.head += 2
    log.commit(("data", 30, 2))
    log.commit(("data", 40, 2))
    return keep(log, 3)


@damaged("A header of a branch that an earlier recovery gave up was left where the chain goes past it.")
def barrier_forgotten():
    log = Log(first_pos=200, first_seq=7)
    log.write_super()
    log.commit(("data", 8, 20))
    log.write(("data", 9, 20))
    log.recover(log.records[0])
    log.commit(("data", 60, 50))
    log.recover(log.records[2])
    return keep(log, 2)


@damaged("A durable record names another one as the one before it.")
def wrong_link():
    log = some()
    log.commit(("data", 50, 2), header={"prev_crc": 0x12345678})
    log.commit(("data", 60, 2))
    return keep(log, 4)


@damaged("Space was used again that no superblock at hand calls free: both are old.")
def later_lap():
    log = Log()
    log.write_super()
    for i in range(17):
        if i == 16:
            log.head_tail = (log.records[10].end, 11)
        log.commit(("data", 16 * i, 15))
    return keep(log, 0)


@damaged("The newest superblock has rotted, and the other one is so old that its tail was overwritten.")
def newest_slot_rotten():
    log = Log()
    log.write_super()
    for i in range(12):
        log.commit(("data", 16 * i, 15))
    log.tail_behind(log.records[10])
    for i in range(12, 18):
        log.commit(("data", 16 * i, 15))
    log.device[log.generation % 2 * 65536 + 200] ^= 1
    return keep(log, 0)


@damaged("The newest superblock has rotted; of a write into space that it had freed only payload reached the device.")
def newest_slot_rotten_payload_torn():
    log = Log()
    log.write_super()
    for i in range(12):
        log.commit(("data", 16 * i, 15))
    log.tail_behind(log.records[10])
    log.device[log.generation % 2 * 65536 + 200] ^= 1
    log.device[log.sector_at(log.records[3], 5)] = b"torn" * 128
    return keep(log, 3)


@damaged("The older superblock has rotted, and payload that was durable: nothing shows which slot was the newest.")
def older_slot_rotten_and_payload():
    log = some()
    log.write_super(durable_seq=4)
    log.write_super(durable_seq=4)
    log.device[(log.generation + 1) % 2 * 65536 + 200] ^= 1
    log.flip(log.records[2], 700)
    return keep(log, 2)


@damaged("A record in flight reaches into what the superblock at hand calls the tail: there was a newer one.")
def record_beyond_tail():
    log = Log(first_pos=4)
    log.write_super()
    while log.head < 256:
        log.commit(("data", log.head, min(20, 255 - log.head)))
    count = len(log.records)
    log.head_tail = (log.records[3].end, 4)
    before = bytes(log.device)
    record = log.write(("data", 9, 20))
    log.device[log.sector_at(record, 4).start:] = before[log.sector_at(record, 4).start:]
    return keep(log, count)


# Headers and descriptors whose checksum holds and whose fields break the bounds: taken for torn ones.
LIES = {
    "len-zero": {"len": 0}, "len-above-record-max": {"len": 65}, "len-across-lap": {"len": 60},
    "sequence-above-max": {"seq": 1 << 63}, "epoch-above-max": {"epoch": 1 << 63},
    "durable-above-link": {"durable_seq": 17}, "tail-above-durable": {"tail_seq": 4, "durable_seq": 3},
    "tail-behind-itself": {"tail_pos": 1 << 20}, "tail-a-lap-before": {"tail_pos": 256 - 60},
    "no-descriptor": {"nr_desc": 0}, "next-without-descriptor": {"next_desc": 2},
    "descriptor-without-next": {"nr_desc": 2}, "descriptor-in-itself": {"nr_desc": 2, "next_desc": 7},
    "too-many-extents": {"nr_extents": 25}, "link-to-itself": {"prev_seq": 17},
}
EXTENT_LIES = {
    "extent-of-no-length": {"len": 0}, "extent-beyond-record": {"len": 12}, "extent-beyond-home": {"where": 2040},
    "extent-of-unknown-kind": {"where": 3 << 48 | 8}, "extent-with-high-bits": {"where": 1 << 56 | 8},
    "extent-too-long": {"where": 2 << 48, "len": (1 << 21) + 1},
}
DESCRIPTOR_LIES = {
    "descriptor-of-another-record": {"seq": 3}, "descriptor-elsewhere": {"pos": 7}, "descriptor-out-of-order": {"index": 2},
    "descriptor-without-extents": {"nr_extents": 0}, "descriptor-with-too-many": {"nr_extents": 29},
    "descriptor-loop": {"next_desc": 36}, "descriptor-back-to-header": {"next_desc": 0},
    "descriptor-beyond-record": {"next_desc": 4000},
}


def lie(header=None):
    """The 17th record of the third lap, 7 sectors, 16 before the lap's end, says so."""
    log = Log(first_pos=512)
    log.write_super()
    for _ in range(16):
        log.commit(("data", 9, 14))
    log.tail_behind(log.records[0])
    log.write(("data", 9, 6), header=header)
    log.keep = log.records[1:16 if header else 17]
    return log


def lie_in_extent(fields):
    def change(blocks):
        at = STRUCTS["jfmt_record"]["extent"][0]
        blocks[0][at:at + 16] = put(blocks[0][at:at + 16], "jfmt_extent", **fields)
    log = some()
    log.write(("data", 2030, 10), tweak=change)
    return keep(log, 4)


def lie_in_descriptor(fields):
    log = described()
    log.write(*[("data", 400 + i, 1) for i in range(60)], tweak=lambda blocks: put(blocks[1], "jfmt_desc", **fields))
    return keep(log, 3)


image("The last record ends 9 sectors before the lap does.", golden=True, name="lap-end")(lie)
for name, fields in LIES.items():
    image(f"The last header lies: {name.replace('-', ' ')}.", name=f"lie-{name}", words=(fields,))(lie)
for name, fields in EXTENT_LIES.items():
    image(f"The last record has an {name.replace('-', ' ')}.", name=f"lie-{name}", words=(fields,))(lie_in_extent)
for name, fields in DESCRIPTOR_LIES.items():
    image(f"The second descriptor of the last record lies: {name.replace('-', ' ')}.", name=f"lie-{name}",
          words=(fields,))(lie_in_descriptor)


@damaged("A header that was durable lies, so its record counts as missing.")
def lie_durable():
    log = some()
    log.commit(("data", 50, 2), header={"nr_desc": 0})
    log.commit(("data", 60, 2))
    return keep(log, 4)

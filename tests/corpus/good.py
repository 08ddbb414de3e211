# SPDX-License-Identifier: GPL-2.0-only
"""Logs that obey docs/format.md: what any version has to read for ever, and what a crash may leave."""
from classes import described, image, keep, sealed_lap, some
from writer import Log


@image("A fresh log: one superblock, no record.", golden=True)
def fresh():
    return Log()


@image("Both superblocks, no record.", golden=True)
def empty():
    log = Log()
    log.write_super()
    return log


@image("Four acknowledged records in two epochs; later ones overwrite earlier ones.", golden=True)
def records():
    return some()


for unit in (2, 4, 8):
    image(f"The same with a unit of {unit} sectors: padding behind descriptors and payload.", golden=True,
          name=f"unit{unit}", words=(unit,))(lambda unit: some(unit=unit))


@image("Third lap: the live log goes across the end of the area, and the sectors that did not suffice are unused.",
       golden=True)
def wrap():
    log = Log(first_pos=512 + 180, first_seq=40)
    log.write_super()
    for i in range(12):
        log.commit(("data", 16 * i, 10 + i))
    log.tail_behind(log.records[3])
    log.commit(("data", 3, 9))
    log.commit(("data", 90, 30))
    assert any(a.end != b.pos for a, b in zip(log.records, log.records[1:]))
    # the first four are home already
    log.keep = log.records[4:]
    return log


@image("The live log ends exactly where the lap does; the area is full.", golden=True)
def full():
    log = Log()
    log.write_super()
    for i in range(16):
        log.commit(("data", 16 * i, 15))
    assert log.head == 256
    return log


@image("A record of four descriptors, between two others.", golden=True)
def descriptors():
    return described()


@image("Discards and zeroes over data, data over both, a discard of everything.", golden=True)
def discards():
    log = Log()
    log.write_super()
    log.commit(("data", 10, 8), ("discard", 12, 2), ("zeroes", 14, 1))
    log.commit(("zeroes", 11, 1), ("data", 13, 1))
    log.epoch += 1
    log.commit(("discard", 1000, 1048))
    log.commit(("data", 1500, 1), ("zeroes", 0, 8), ("data", 0, 1))
    return log


@image("The tail has moved: records before it are home, and their space is not read.", golden=True)
def tail():
    log = some()
    log.tail_behind(log.records[1])
    log.keep = log.records[2:]
    return log


@image("A checkpoint of two records has begun: ckpt_to is ahead of the tail.", golden=True)
def batch_begun():
    log = some()
    log.write_super(durable_seq=4, ckpt_to_seq=3, ckpt_to_pos=log.records[2].end, epoch=log.epoch)
    return log


@image("Headers know a later tail than any superblock: that changes nothing of what the log holds.", golden=True)
def tail_in_headers():
    log = some()
    log.head_tail = (log.records[1].end, 2)
    log.commit(("data", 40, 2))
    return log


@image("Records that nobody acknowledged, but whole: the last ones are accepted by their payload.", golden=True)
def unacknowledged():
    log = some()
    log.write(("data", 50, 2))
    log.write(("data", 50, 1), ("zeroes", 60, 3))
    return log


@image("A recovery gave up a record behind record 3; its header and payload are still whole behind the barrier.",
       golden=True)
def barrier():
    log = some()
    log.recover(log.records[2])
    return keep(log, 3)


@image("New records have followed the barrier, over half of the branch that was given up.", golden=True)
def barrier_new_branch():
    log = some()
    log.commit(("data", 70, 9))
    log.commit(("data", 90, 9))
    log.recover(log.records[2])
    log.commit(("data", 30, 2))
    log.commit(("data", 31, 2))
    log.keep = log.records[:3] + log.records[6:]
    return log


@image("Three recoveries, each with a record behind it and one that was lost.", golden=True)
def barriers():
    log, kept = Log(), []
    log.write_super()
    for i in range(3):
        kept.append(log.commit(("data", 10 * i, 4)))
        log.write(("data", 10 * i, 7))
        log.recover(kept[-1])
    kept.append(log.commit(("data", 100, 1)))
    log.keep = kept
    return log


@image("The first record behind the barrier starts the next lap.", golden=True)
def barrier_next_lap():
    log = Log(first_pos=200, first_seq=7)
    log.write_super()
    log.commit(("data", 8, 20))
    log.write(("data", 9, 20))
    log.recover(log.records[0])
    log.commit(("data", 60, 50))
    assert log.records[2].pos == 256
    log.keep = [log.records[0], log.records[2]]
    return log


@image("The same, with the header of the branch that was given up overwritten, and another recovery behind it.")
def barrier_cut_off():
    log = Log(first_pos=200, first_seq=7)
    log.write_super()
    log.commit(("data", 8, 20))
    log.write(("data", 9, 20))
    log.recover(log.records[0])
    log.lose(log.records[1], 0, 1)
    log.commit(("data", 60, 50))
    log.recover(log.records[2])
    log.commit(("data", 70, 3))
    log.keep = [log.records[0]] + log.records[2:]
    return log


@image("Sequences and positions pass 2^32.", golden=True)
def sequence_32_bits():
    log = Log(first_pos=(1 << 32) - 24, first_seq=(1 << 32) - 3)
    log.write_super()
    for i in range(6):
        log.commit(("data", 20 * i, 5))
    return log


@image("The last record has the greatest sequence there is. A recovery needs further ones.", kernel="refuse")
def sequence_last():
    log = Log(first_seq=(1 << 63) - 2)
    log.write_super()
    log.commit(("data", 8, 3))
    log.commit(("data", 9, 3))
    return log


@image("Compat bits that this version does not know: they change nothing.")
def compat_unknown():
    log = some()
    log.write_super(compat=1 << 63 | 1)
    return log


@image("Ro_compat bits that this version does not know: the log is read, and never written.", kernel="refuse")
def ro_compat_unknown():
    log = some()
    log.write_super(ro_compat=1 << 40)
    return log


@image("The home went on without this log.", kernel="refuse")
def retired():
    log = some()
    log.write_super(flags=2)
    log.keep, log.handed = None, 4
    return log


@image("A log for a home of another length than the test's.", kernel="refuse")
def home_of_another_length():
    log = some()
    log.super["home_len"] = 1024
    log.write_super()
    log.write_super()
    return log


@image("What is left of a former format: the superblocks have another nonce, the records are whole.")
def former_format():
    log = some()
    for slot in (0, 1):
        log.slot_says(slot, nonce=0xfedcba9876543210)
    return keep(log, 0)


# What the writes that were in flight leave: any part of them.
TORN = {
    "header": ("Of the last record the header never arrived.", 0, 1),
    "payload-first": ("Of the last record the first sector of payload never arrived.", 1, 2),
    "payload-middle": ("Of the last record a sector in the middle never arrived.", 3, 4),
    "payload-last": ("Of the last record the last sector never arrived.", 5, 6),
    "all-but-header": ("Of the last record only the header arrived.", 1, 6),
    "all": ("The last record never arrived.", 0, 6),
}


def torn(first, last, filling=bytes(512)):
    log = some()
    record = log.write(("data", 70, 5))
    for offset in range(first, last):
        log.device[log.sector_at(record, offset)] = filling
    return keep(log, 4)


for part, (what, start, end) in TORN.items():
    image(what, name=f"torn-{part}", words=(start, end))(torn)
image("Of the last record the payload's place holds ones.", name="torn-ones", words=(1, 6, b"\xff" * 512))(torn)


@image("Of the last record a descriptor in the middle never arrived.")
def torn_descriptor():
    log = described()
    record = log.write(*[("data", 400 + i, 1) for i in range(60)])
    log.lose(record, record.descriptors[1], record.descriptors[1] + 1)
    return keep(log, 3)


@image("The first of three records in flight is missing: the others, whole, are not of the log any more.")
def hole_unproven():
    log = some()
    for i in range(3):
        log.write(("data", 70 + i, 5))
    log.lose(log.records[4])
    return keep(log, 4)


@image("The last header has a flipped bit, and nobody says that its record was durable.")
def header_crc_last():
    log = some()
    log.flip(log.records[3], 90)
    return keep(log, 3)


@image("Payload of the last record has a flipped bit, and nobody says that it was durable.")
def payload_crc_last():
    log = some()
    log.flip(log.records[3], 700)
    return keep(log, 3)


@image("Payload of an unacknowledged record has a flipped bit; a whole record behind it is given up with it.")
def payload_crc_unacknowledged():
    log = some()
    log.write(("data", 50, 2))
    log.write(("data", 60, 2))
    log.flip(log.records[4], 600)
    return keep(log, 4)


@image("Behind the tail lies the record of the former lap that had this place.")
def former_lap():
    log = Log()
    log.write_super()
    for i in range(17):
        if i == 16:
            log.tail_behind(log.records[10])
        log.commit(("data", 16 * i, 15))
    log.tail_behind(log.records[16])
    return keep(log, 0)


@image("A torn record in the place of one of the former lap; the payload of both ends with a crc of its own.")
def former_lap_alike():
    log, before = sealed_lap()
    torn = log.write(("data", 0, 15))
    assert torn.pos % 256 == log.records[0].pos
    log.lose(torn, 1, before=before)
    log.keep = log.records[11:16]
    return log


@image("A record of the right link and sequence, but of a former lap by its position.")
def former_lap_linked():
    log = Log(first_pos=512)
    log.write_super()
    log.commit(("data", 8, 3))
    log.write(("data", 9, 3), header={"pos": 256 + 4, "tail_pos": 256})
    return keep(log, 1)


@image("A header that says it lies a sector further on.")
def wrong_position():
    log = some()
    log.write(("data", 50, 2), header={"pos": log.head + 1})
    return keep(log, 4)


@image("A record that names another sequence as the one before it.")
def wrong_link_sequence():
    log = some()
    log.durable = 2
    log.write(("data", 50, 2), header={"prev_seq": 3})
    return keep(log, 4)


@image("A record that names another checksum of the one before it.")
def wrong_link_checksum():
    log = some()
    log.write(("data", 50, 2), header={"prev_crc": 0x12345678})
    return keep(log, 4)


@image("A record of an earlier epoch than the one before it.")
def epoch_goes_back():
    log = some()
    log.write(("data", 50, 2), header={"epoch": 1})
    return keep(log, 4)


@image("Two records claim the place behind record 3, one at its end, one at the start of the next lap: the first counts.")
def two_claims():
    log = some(first_pos=64)
    other = log.link, log.head
    log.link = (3, log.records[2].crc)
    log.durable = 3
    log.write(("data", 500, 4), at=256)
    log.link, log.head = other
    return keep(log, 4)


@image("Headers of a branch that the barrier gave up say that records were durable: that is evidence of nothing.")
def lost_branch_says_durable():
    log = some()
    log.commit(("data", 70, 9))
    log.recover(log.records[1])
    return keep(log, 2)


@image("The superblock calls a record durable that the barrier gave up: the barrier is meant.")
def lost_sequence_in_superblock():
    log = some()
    log.recover(log.records[1])
    for _ in range(2):
        log.write_super(durable_seq=4, ckpt_to_seq=3)
    return keep(log, 2)

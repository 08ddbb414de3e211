/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the load in the guest and the oracle on the host agree on: the history, and the contents of a sector.
 *
 * The history lies in memory that guest and host share, so it needs no I/O and survives the power cut. A slot is taken
 * before an operation is submitted and another after it has completed; the slot's number is the event's time. So a
 * recorded operation contains the real one, and times of different threads can be compared. A crash leaves slots that
 * were taken and not filled: their operations were not submitted, or not yet seen to complete.
 */
#ifndef CRASH_HISTORY_H
#define CRASH_HISTORY_H

#include <atomic>
#include <cstdint>
#include <cstring>

namespace crash {

constexpr uint32_t SECTOR = 512;

enum class Kind : uint8_t { none, write, fua, flush, discard, zeroes, checkpoint, cut };

enum class Phase : uint8_t { submit, complete };

struct Event {
	uint64_t sector;
	uint32_t sectors;
	uint32_t op;		/* number of the operation in this history */
	int32_t status;		/* of a completion: 0 or -errno */
	Kind kind;
	Phase phase;
	uint8_t pad[6];
	std::atomic<uint32_t> filled;	/* written last */
};
static_assert(sizeof(Event) == 32);

struct History {
	std::atomic<uint64_t> taken;	/* slots */
	uint8_t pad[4088];
	Event slot[];
};
static_assert(sizeof(History) == 4096);

constexpr uint64_t slots_in(uint64_t bytes)
{
	return (bytes - sizeof(History)) / sizeof(Event);
}

/* The contents of a sector name the write they come from, and every word of them depends on it. */
struct Tag {
	uint64_t magic;
	uint64_t id;		/* generation << 32 | op; 0: never written */
	uint64_t sector;
	uint64_t check;
	uint64_t fill[60];
};
static_assert(sizeof(Tag) == SECTOR);

constexpr uint64_t MAGIC = 0x68737263'2d64626aull;

constexpr uint64_t make_id(uint32_t generation, uint32_t op)
{
	return static_cast<uint64_t>(generation) << 32 | op;
}

constexpr uint64_t mix(uint64_t v)
{
	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9ull;
	v = (v ^ v >> 27) * 0x94d049bb133111ebull;
	return v ^ v >> 31;
}

inline void fill_sector(void *to, uint64_t id, uint64_t sector)
{
	Tag *tag = static_cast<Tag *>(to);
	uint64_t check = mix(id * 0x9e3779b97f4a7c15ull + sector);

	tag->magic = MAGIC;
	tag->id = id;
	tag->sector = sector;
	tag->check = check;
	for (uint64_t &word : tag->fill)
		word = check += 0x9e3779b97f4a7c15ull;
}

} /* namespace crash */

#endif

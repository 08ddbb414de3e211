// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nothing here looks at what the payload means. The tape stays mapped as long as the object lives, and operations
 * point into it.
 */
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../modules/tape/tape.h"
#include "tape.h"

namespace trace {

Hash hash_sector(const uint8_t *data)
{
	uint64_t a = 0x9e3779b97f4a7c15ull, b = 0xbf58476d1ce4e5b9ull;

	for (uint32_t i = 0; i < SECTOR; i += 16) {
		uint64_t x, y;

		std::memcpy(&x, data + i, 8);
		std::memcpy(&y, data + i + 8, 8);
		__uint128_t m = static_cast<__uint128_t>(a ^ x) * ((b ^ y) | 1);
		a = static_cast<uint64_t>(m) + 0x94d049bb133111ebull * y;
		b = static_cast<uint64_t>(m >> 64) ^ (x + i);
	}
	__uint128_t m = static_cast<__uint128_t>(a ^ 0xd6e8feb86659fd93ull) * (b | 1);
	return static_cast<uint64_t>(m) ^ static_cast<uint64_t>(m >> 64);
}

const Hash ZEROES = [] {
	const uint8_t sector[SECTOR] = {};

	return hash_sector(sector);
}();

static Op decode(const tape_event &e, const uint8_t *payload)
{
	return {
		.sub = e.submit, .done = e.done ? e.done : NEVER, .sector = e.sector, .sectors = e.sectors,
		.kind = static_cast<Kind>(e.op), .device = e.device, .fua = (e.flags & TAPE_FUA) != 0,
		.changed = (e.flags & TAPE_CHANGED) != 0, .data = payload, .hash = nullptr,
	};
}

Tape::Tape(const std::string &path)
{
	int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		throw std::runtime_error(path + ": cannot be read");
	size = static_cast<size_t>(st.st_size);
	void *at = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		throw std::runtime_error(path + ": cannot be mapped");
	data = static_cast<const uint8_t *>(at);

	tape_head head;
	if (size >= sizeof(head))
		std::memcpy(&head, data, sizeof(head));
	if (size < sizeof(head) || std::memcmp(head.magic, TAPE_MAGIC, sizeof(head.magic)) || head.used > size)
		throw std::runtime_error(path + ": not a tape");
	if (head.overflow)
		throw std::runtime_error(path + ": the tape overflowed");
	clock = head.clock;

	size_t sectors = 0;
	uint32_t longest = 0;
	for (uint64_t p = sizeof(head); p < head.used;) {
		const auto *e = reinterpret_cast<const tape_event *>(data + p);
		const uint8_t *payload = data + p + sizeof(*e);

		p += sizeof(*e) + TAPE_PADDED(e->payload);
		if (!e->ready)
			continue;
		if (e->status)
			throw std::runtime_error(path + ": an operation failed: " + name(decode(*e, payload)));
		if (e->op == TAPE_MARK) {
			std::string text(reinterpret_cast<const char *>(payload), e->payload);

			if (std::sscanf(text.c_str(), "begin %lu %lu", &log_sectors, &home_sectors) == 2)
				begin = e->submit;
			flush_home = text.find(" flush home") != text.npos;
			continue;
		}
		ops.push_back(decode(*e, payload));
		sectors += e->payload / SECTOR;
		longest = std::max(longest, e->sectors);
	}
	if (!begin)
		throw std::runtime_error(path + ": the tape has no mark \"begin\"");
	hashes.reserve(sectors);
	zeroes.assign(longest, ZEROES);
	for (Op &op : ops) {
		if (op.kind != Kind::write) {
			op.hash = zeroes.data();
			continue;
		}
		op.hash = hashes.data() + hashes.size();
		for (uint32_t i = 0; i < op.sectors; i++)
			hashes.push_back(hash_sector(op.data + i * SECTOR));
	}
}

Tape::~Tape()
{
	if (data)
		munmap(const_cast<uint8_t *>(data), size);
}

std::string name(const Op &op)
{
	static const char *const kinds[] = {"read", "write", "flush", "discard", "write-zeroes", "mark"};
	static const char *const devices[] = {"volume", "log", "home"};
	std::string text = op.device < DEVICES ? devices[op.device] : "device " + std::to_string(op.device);

	text += op.fua ? " FUA " : " ";
	text += kinds[static_cast<int>(op.kind)];
	if (op.sectors)
		text += " of [" + std::to_string(op.sector) + ", +" + std::to_string(op.sectors) + ")";
	text += " submitted " + std::to_string(op.sub) + (op.done == NEVER ? " not ended" : " done " + std::to_string(op.done));
	return text;
}

} /* namespace trace */

// SPDX-License-Identifier: GPL-2.0-only
/* States of the disks at each moment; see enumerate.h. Nothing is kept but the state that was chosen. */
#include <algorithm>
#include <cstring>

#include "enumerate.h"

namespace sim {

constexpr size_t SEEN_SLOTS = 1u << 19;

std::vector<Enumerate::Entry> Enumerate::seen(SEEN_SLOTS);
size_t Enumerate::used;

Enumerate::Enumerate(const Case &c, Judge &judge, const History &h, Totals &totals, Random random)
	: c(c), judge(judge), h(h), totals(totals), random(random),
	  log_sectors(static_cast<uint32_t>(SIM_AREA_START + c.opts.area_len)),
	  home_sectors(static_cast<uint32_t>(c.opts.home_len)), image(h.start)
{
	static uint64_t runs;

	salt = mix(++runs);
	if (used > SEEN_SLOTS / 4) {
		used = 0;
		seen.assign(SEEN_SLOTS, Entry());
	}
	version[LOG_DISK].assign(log_sectors, 0);
	version[HOME_DISK].assign(home_sectors, 0);
	version[INTENT_DISK].assign(image.intent.size() / 512, 0);
	for (unsigned disk = 0; disk < DISKS; disk++)
		now[disk] = version[disk];
	volume.resize(home_sectors);
	dropped.resize(h.writes.size());
}

uint64_t Enumerate::salted(unsigned disk, uint32_t sector, uint32_t v) const
{
	return v ? mix((static_cast<uint64_t>(v) << 20 | sector << 2 | disk) ^ salt) : 0;
}

/* Copy one sector of a write to the image. */
void Enumerate::put(uint32_t write, uint32_t sector)
{
	const Write &w = h.writes[write];
	uint32_t i = sector - w.sector;

	if (w.disk == HOME_DISK)
		image.home[sector] = h.values[w.data + i];
	else
		std::memcpy(&image.bytes(w.disk)[sector * 512ul], &h.bytes[w.data + i * 512ul], 512);
}

/* The write is certain from now on, and with it that nothing older is in its sectors. */
void Enumerate::settle(uint32_t write)
{
	const Write &w = h.writes[write];

	for (unsigned i = 0; i < w.sectors; i++) {
		uint32_t s = w.sector + i;

		if (!(w.may >> i & 1) || version[w.disk][s] > write)
			continue;
		hash ^= salted(w.disk, s, version[w.disk][s]) ^ salted(w.disk, s, write + 1);
		version[w.disk][s] = now[w.disk][s] = write + 1;
		put(write, s);
	}
	pending.erase(std::find(pending.begin(), pending.end(), write));
}

/* A flush that fails makes nothing certain, and a later one does not bring back what it lost. */
void Enumerate::flushed(const Flush &f)
{
	std::vector<uint32_t> covered;

	for (uint32_t p : pending)
		if (h.writes[p].disk == f.disk && h.writes[p].done < f.sub && !dropped[p])
			covered.push_back(p);
	for (uint32_t p : covered) {
		if (f.failed)
			dropped[p] = true;
		else
			settle(p);
	}
}

Enumerate::Entry *Enumerate::lookup(uint64_t key)
{
	size_t i = key & (SEEN_SLOTS - 1);

	while (seen[i].key && seen[i].key != key)
		i = (i + 1) & (SEEN_SLOTS - 1);
	return &seen[i];
}

/* Each distinct state is as likely as any other to be what the next generation starts from. */
void Enumerate::choose(const Found &found, Time t)
{
	if (random.next() % nr_seen)
		return;
	chosen.image = image;
	chosen.volume = volume;
	chosen.found = found;
	chosen.time = t;
}

/* Which sectors do the masks change, and what is the state's name? */
void Enumerate::choose_touched(uint64_t &key)
{
	key = hash ^ salt;
	touched.clear();
	for (size_t n = 0; n < pending.size(); n++) {
		const Write &w = h.writes[pending[n]];

		for (uint64_t bits = mask[n] & w.may; bits; bits &= bits - 1) {
			uint32_t s = w.sector + static_cast<uint32_t>(__builtin_ctzll(bits));
			uint32_t &at = now[w.disk][s];

			if (at > pending[n] || version[w.disk][s] > pending[n])
				continue;
			if (at == version[w.disk][s])
				touched.push_back(static_cast<uint32_t>(w.disk) << 16 | s);
			key ^= salted(w.disk, s, at) ^ salted(w.disk, s, pending[n] + 1);
			at = pending[n] + 1;
		}
	}
	if (!key)
		key = 1;
}

void Enumerate::put_touched()
{
	for (uint32_t x : touched)
		put(now[x >> 16][x & 0xffff] - 1, x & 0xffff);
}

void Enumerate::take_touched()
{
	for (uint32_t x : touched) {
		unsigned disk = x >> 16;
		uint32_t s = x & 0xffff, old = version[disk][s];

		if (old)
			put(old - 1, s);
		else if (disk == HOME_DISK)
			image.home[s] = h.start.home[s];
		else
			std::memcpy(&image.bytes(disk)[s * 512ul], &h.start.bytes(disk)[s * 512ul], 512);
	}
}

Violation Enumerate::judge_touched(Time t, Found &found)
{
	put_touched();
	Violation v = judge.state(image, volume.data(), found);
	if (!v.any()) {
		nr_seen++;
		totals.distinct++;
		v = judge.at(found, t);
		if (!v.any())
			choose(found, t);
	}
	take_touched();
	return v;
}

/* The state that mask describes. */
Violation Enumerate::try_masks(Time t)
{
	uint64_t key;
	Violation v;

	totals.states++;
	choose_touched(key);
	Entry *e = lookup(key);
	if (e->key) {
		v = judge.at(e->found, t);
	} else {
		Found found;

		v = judge_touched(t, found);
		if (used < SEEN_SLOTS / 4 * 3) {
			used++;
			e->key = key;
			e->found = found;
		}
	}
	if (v.any())
		story = tell(v, t);
	for (uint32_t x : touched)
		now[x >> 16][x & 0xffff] = version[x >> 16][x & 0xffff];
	return v;
}

/*----------------------------------------------------------------
 * Which choices
 *--------------------------------------------------------------*/

void Enumerate::fill(uint64_t log, uint64_t at_home, uint64_t intent)
{
	const uint64_t all[DISKS] = {log, at_home, intent};

	for (size_t n = 0; n < pending.size(); n++)
		mask[n] = all[h.writes[pending[n]].disk];
}

#define TRY()	do { Violation v_ = try_masks(t); if (v_.any()) return v_; } while (0)

Violation Enumerate::families(Time t)
{
	const size_t k = pending.size();
	std::vector<size_t> order(k);

	for (unsigned disks = 1; disks < 1u << (c.opts.batch_payload ? DISKS : 2); disks++) {
		fill(disks & 1 ? ~0ull : 0, disks & 2 ? ~0ull : 0, disks & 4 ? ~0ull : 0);
		TRY();
	}
	fill(0, 0, 0);
	for (size_t n = 0; n < k; n++) {
		TRY();
		mask[n] = ~0ull;
	}
	for (size_t n = 0; n < k; n++)
		order[n] = n;
	std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
		return h.writes[pending[a]].done < h.writes[pending[b]].done;
	});
	fill(0, 0, 0);
	for (size_t n : order) {
		TRY();
		mask[n] = ~0ull;
	}
	if (k <= 4 + c.effort) {
		for (uint32_t choice = 0; choice < 1u << k; choice++) {
			for (size_t n = 0; n < k; n++)
				mask[n] = choice >> n & 1 ? ~0ull : 0;
			TRY();
		}
		return {};
	}
	for (size_t n = 0; n < k; n++) {
		fill(0, 0, 0);
		mask[n] = ~0ull;
		TRY();
		fill(~0ull, ~0ull, ~0ull);
		mask[n] = 0;
		TRY();
	}
	for (uint32_t i = 0; i < 16 * c.effort; i++) {
		for (size_t n = 0; n < k; n++)
			mask[n] = random.next() & 1 ? ~0ull : 0;
		TRY();
	}
	return {};
}

/* @bits of the pieces that a power cut leaves whole, as sectors */
uint64_t Enumerate::granules(uint32_t write, uint64_t bits) const
{
	const Write &w = h.writes[write];
	uint32_t g = w.disk == HOME_DISK ? 1 : c.tear;
	uint64_t out = 0;

	for (unsigned i = 0; i < w.sectors; i++)
		if (bits >> ((w.sector + i) / g - w.sector / g) & 1)
			out |= 1ull << i;
	return out;
}

Violation Enumerate::torn(Time t)
{
	for (size_t n = 0; n < pending.size(); n++) {
		const Write &w = h.writes[pending[n]];
		uint32_t g = w.disk == HOME_DISK ? 1 : c.tear;
		uint32_t pieces = (w.sector + w.sectors - 1u) / g - w.sector / g + 1;

		if (pieces < 2)
			continue;
		for (unsigned others = 0; others < 3; others++) {
			for (uint32_t i = 0; i < 3 + c.effort; i++) {
				uint32_t at = i ? random.below(pieces - 1) + 1 : 1;
				uint64_t head = (1ull << at) - 1, one = 1ull << random.below(pieces);
				const uint64_t shapes[] = {head, ~head, one, ~one, random.next()};

				fill(0, 0, 0);
				for (size_t m = 0; others && m < pending.size(); m++)
					mask[m] = others == 1 || random.next() & 1 ? ~0ull : 0;
				for (uint64_t shape : shapes) {
					mask[n] = granules(pending[n], shape);
					TRY();
				}
			}
		}
	}
	for (uint32_t i = 0; i < 4 * c.effort; i++) {
		for (size_t n = 0; n < pending.size(); n++)
			mask[n] = granules(pending[n], random.next());
		TRY();
	}
	return {};
}

/*
 * Sectors of the log or the intent device rot. Then recovery refuses, or gives a link of the chain all the same; and it refuses
 * if a later record says that what rotted was durable (@known). What was acknowledged may be lost otherwise: nothing tells of it.
 */
Violation Enumerate::rotten(Time t, unsigned disk, uint32_t sector, uint32_t sectors, const Found &before, bool known)
{
	uint8_t *at = &image.bytes(disk)[sector * 512ul];
	std::vector<uint8_t> saved(at, at + sectors * 512ul);
	Found found = {};

	totals.states++;
	std::memset(at, 0, saved.size());
	Violation v = judge.state(image, volume.data(), found);
	std::memcpy(at, saved.data(), saved.size());
	if (v.rule == "P1 refused" || v.rule == "P4 intent")
		return {};
	if (!v.any() && known)
		v = judge.lost(before, found, t);
	if (v.any()) {
		v.text += std::string("; sectors [") + std::to_string(sector) + ", +" + std::to_string(sectors) + ") of " +
			  DISK_NAMES[disk] + " had rotted";
		story = tell(v, t);
	}
	return v;
}

/* With all there that was completed, one record's header rots; with any part of what is in flight, one superblock. */
Violation Enumerate::rot(Time t)
{
	const std::vector<Link> &links = judge.links();
	std::vector<size_t> there;
	uint64_t key, durable = 0;
	Found before = {};
	Violation v;

	for (size_t i = 1; i < links.size(); i++)
		if (h.writes[links[i].write].done < t && !h.writes[links[i].write].failed) {
			there.push_back(i);
			durable = std::max(durable, links[i].durable);
		}
	for (size_t n = 0; n < pending.size(); n++)
		mask[n] = h.writes[pending[n]].done < t ? ~0ull : 0;
	choose_touched(key);
	put_touched();
	v = judge.state(image, volume.data(), before);
	if (!v.any() && !there.empty()) {
		const Link &link = links[there[random.below(static_cast<uint32_t>(there.size()))]];
		const Write &w = h.writes[link.write];

		/* below the tail nobody looks, and its space may have another record */
		if (link.seq > judge.tail_seq() && now[LOG_DISK][w.sector] == link.write + 1)
			v = rotten(t, LOG_DISK, w.sector, c.opts.unit, before, link.seq <= durable);
	}
	if (!v.any() && c.opts.batch_payload)
		v = rotten(t, INTENT_DISK, random.next() & 1 ? SIM_SLOT1 : 0, SIM_SLOT_SECTORS, before, true);
	take_touched();
	for (uint32_t x : touched)
		now[x >> 16][x & 0xffff] = version[x >> 16][x & 0xffff];
	if (v.any() || judge.either_slot(t))
		return v;

	/* without the newest superblock, records below its tail are read again, whose space is free, and may be torn */
	for (size_t n = 0; n < pending.size(); n++)
		if (h.writes[pending[n]].done >= t)
			mask[n] = granules(pending[n], random.next());
	choose_touched(key);
	put_touched();
	v = judge.state(image, volume.data(), before);
	if (!v.any())
		v = rotten(t, LOG_DISK, random.next() & 1 ? SIM_SLOT1 : 0, SIM_SLOT_SECTORS, before, true);
	take_touched();
	for (uint32_t x : touched)
		now[x >> 16][x & 0xffff] = version[x >> 16][x & 0xffff];
	return v;
}

/* A sector of the log that was being written when the power went holds neither old nor new contents. */
Violation Enumerate::scrambled(Time t)
{
	std::vector<size_t> flying;
	Found found = {};
	uint64_t key;
	Violation v;

	for (size_t n = 0; n < pending.size(); n++) {
		const Write &w = h.writes[pending[n]];

		mask[n] = w.done < t || random.next() & 1 ? ~0ull : 0;
		if (w.disk == LOG_DISK && w.done >= t)
			flying.push_back(n);
	}
	if (flying.empty())
		return v;
	size_t n = flying[random.below(static_cast<uint32_t>(flying.size()))];
	const Write &w = h.writes[pending[n]];
	uint32_t at = random.below(w.sectors / c.tear) * c.tear;

	mask[n] = (1ull << at) - 1;
	totals.states++;
	choose_touched(key);
	put_touched();
	uint8_t *sector = &image.log[(w.sector + at) * 512ul];
	std::vector<uint8_t> saved(sector, sector + c.tear * 512ul);
	std::memset(sector, random.next() & 1 ? 0xff : 0x5a, saved.size());
	v = judge.state(image, volume.data(), found);
	if (!v.any())
		v = judge.at(found, t);
	std::memcpy(sector, saved.data(), saved.size());
	if (v.any()) {
		v.text += "; log sector " + std::to_string(w.sector + at) + " was being written, and is scrambled";
		story = tell(v, t);
	}
	take_touched();
	for (uint32_t x : touched)
		now[x >> 16][x & 0xffff] = version[x >> 16][x & 0xffff];
	return v;
}

Violation Enumerate::point(Time t)
{
	totals.points++;
	mask.assign(pending.size(), 0);
	Violation v = families(t);
	if (!v.any())
		v = torn(t);
	if (!v.any())
		v = scrambled(t);
	return v.any() || random.below(4) ? v : rot(t);
}

/* The states behind an event are those until the next event of a disk; what is acknowledged in between counts. */
Violation Enumerate::run()
{
	Violation v;
	Time end = judge.clock;

	for (size_t i = 0; i <= h.events.size(); i++) {
		const Event *e = i < h.events.size() ? &h.events[i] : nullptr;

		if (e && (e->what == Event::op_sub || e->what == Event::op_done))
			continue;
		v = point(e ? e->time : end);
		if (v.any() || !e)
			return v;
		switch (e->what) {
		case Event::write_sub:
			pending.push_back(e->index);
			break;
		case Event::write_done:
			if (h.writes[e->index].fua && !h.writes[e->index].failed)
				settle(e->index);
			break;
		case Event::flush_done:
			flushed(h.flushes[e->index]);
			break;
		default:
			break;
		}
	}
	return v;
}

std::string Enumerate::tell(const Violation &v, Time t) const
{
	std::string out = v.rule + ": " + v.text + "\n  power cut before event " + std::to_string(t) + "; of what was not certain:\n";

	for (size_t n = 0; n < pending.size(); n++) {
		const Write &w = h.writes[pending[n]];

		out += "    write " + std::to_string(pending[n]) + " to the " + (w.disk == LOG_DISK ? "log" : "home") + " [" +
		       std::to_string(w.sector) + ", +" + std::to_string(w.sectors) + ") " +
		       (w.done < t ? "completed" : "in flight") + ": ";
		for (unsigned i = 0; i < w.sectors; i++)
			out += (mask[n] & w.may) >> i & 1 ? '#' : '.';
		out += '\n';
	}
	return out;
}

} /* namespace sim */

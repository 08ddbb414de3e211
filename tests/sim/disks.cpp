// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disks with volatile caches, and the record of all that was done to them.
 *
 * Always true: what a write carries is taken when it is submitted, and its memory must not have changed when it ends;
 * writes in flight on one disk never overlap (the order of such writes would be nobody's); reads see completed writes.
 * Which of the writes a power cut leaves is decided afterwards, from the record.
 */
#include <cstring>

#include <linux/crc32c.h>

#include "world.h"

namespace sim {

const char *const DISK_NAMES[DISKS] = {"log", "home", "intent device"};

constexpr uint64_t MAGIC = 0x6d69732d'64626a21ull;

/*
 * Each sector ends with a crc32c of itself, as the superblock of ext4 does. A crc32c over any two such sectors is the same:
 * what judges payload must not be led astray by that.
 */
static void make_sector(uint64_t word[64], uint64_t name)
{
	constexpr size_t AT = 512 - sizeof(uint32_t);
	uint64_t x = mix(name);

	word[0] = MAGIC;
	word[1] = name;
	for (unsigned i = 2; i < 64; i++)
		word[i] = x + i;
	uint32_t crc = crc32c(~0u, word, AT);
	std::memcpy(reinterpret_cast<uint8_t *>(word) + AT, &crc, sizeof(crc));
}

void fill_sector(uint8_t *to, Value v, uint32_t sector)
{
	uint64_t word[64];

	if (v == ZERO) {
		std::memset(to, 0, 512);
		return;
	}
	make_sector(word, static_cast<uint64_t>(v) << 32 | sector);
	std::memcpy(to, word, 512);
}

extern "C" uint32_t value_of(const uint8_t *sector, uint64_t home)
{
	uint64_t word[64], good[64];

	std::memcpy(word, sector, 512);
	if (word[0] == MAGIC && static_cast<uint32_t>(word[1]) == home) {
		make_sector(good, word[1]);
		return std::memcmp(word, good, 512) ? GARBAGE : static_cast<Value>(word[1] >> 32);
	}
	for (uint64_t w : word)
		if (w)
			return GARBAGE;
	return ZERO;
}

namespace {

struct Request {
	simk_req req;
	uint8_t disk;
	uint32_t index;		/* of the write or flush */
	enum { read, write, flush } kind;
	bool fails;
};

struct Injection {
	unsigned nth = 0;	/* counts down; 1: now */
	bool forever = false;

	bool hit()
	{
		if (!nth)
			return false;
		if (nth > 1) {
			nth--;
			return false;
		}
		if (!forever)
			nth = 0;
		return true;
	}
};

struct Disks {
	History *h;
	Time *clock;
	uint32_t block;
	Image now;			/* what reads see */
	std::vector<Request> in_flight;
	std::vector<Request> slow;	/* a read of the log that takes long */
	bool slow_next = false;
	unsigned slow_left = 0;		/* completions until it may end */
	Injection fail[DISKS][3];	/* reads, writes, flushes */
} d;

std::vector<uint8_t> scratch;

void event(decltype(Event::what) what, uint32_t index)
{
	d.h->events.push_back({what, index, tick(), machine_home_whole()});
}

/* Put the sectors of @w that may be there into what reads see. */
void apply(const Write &w)
{
	for (unsigned i = 0; i < w.sectors; i++) {
		if (!(w.may >> i & 1))
			continue;
		if (w.disk == HOME_DISK)
			d.now.home[w.sector + i] = d.h->values[w.data + i];
		else
			std::memcpy(&d.now.bytes(w.disk)[(w.sector + i) * 512ul], &d.h->bytes[w.data + i * 512ul], 512);
	}
}

bool changed(const Request &r)
{
	const Write &w = d.h->writes[r.index];

	if (r.req.op != SIMK_WRITE)
		return false;
	scratch.resize(w.sectors * 512ul);
	r.req.copy(r.req.bio, scratch.data(), false);
	if (w.disk != HOME_DISK)
		return std::memcmp(scratch.data(), &d.h->bytes[w.data], scratch.size());
	for (unsigned i = 0; i < w.sectors; i++)
		if (value_of(&scratch[i * 512ul], w.sector + i) != d.h->values[w.data + i])
			return true;
	return false;
}

void record(unsigned disk, const simk_req &req, uint32_t &index)
{
	Write w = {
		.disk = static_cast<uint8_t>(disk), .fua = req.fua, .sector = static_cast<uint16_t>(req.sector),
		.sectors = static_cast<uint16_t>(req.sectors), .sub = *d.clock,
		.may = req.sectors >= 64 ? ~0ull : (1ull << req.sectors) - 1, .data = 0,
	};

	if (req.sectors > 64)
		simk_fail("a write of %u sectors is more than the simulation records", req.sectors);
	for (const Request &other : d.in_flight)
		if (other.disk == disk && other.kind == Request::write &&
		    other.req.sector < req.sector + req.sectors && req.sector < other.req.sector + other.req.sectors)
			simk_fail("two writes in flight overlap on the %s at sector %llu", DISK_NAMES[disk],
				  static_cast<unsigned long long>(req.sector));
	scratch.assign(req.sectors * 512ul, 0);
	if (req.op == SIMK_WRITE)
		req.copy(req.bio, scratch.data(), false);
	if (disk != HOME_DISK) {
		w.data = static_cast<uint32_t>(d.h->bytes.size());
		d.h->bytes.insert(d.h->bytes.end(), scratch.begin(), scratch.end());
	} else {
		w.data = static_cast<uint32_t>(d.h->values.size());
		for (unsigned i = 0; i < req.sectors; i++)
			d.h->values.push_back(value_of(&scratch[i * 512ul], req.sector + i));
	}
	index = static_cast<uint32_t>(d.h->writes.size());
	d.h->writes.push_back(w);
}

} /* namespace */

Time tick()
{
	return (*d.clock)++;
}

void History::clear()
{
	writes.clear();
	flushes.clear();
	events.clear();
	reads.clear();
	bytes.clear();
	values.clear();
	holds.clear();
	quiet = refused = gave_up = false;
	last_reads = 0;
	failure.clear();
}

void disks_start(History &h, const Image &image, const machine_opts &o, Time &clock)
{
	d.h = &h;
	d.clock = &clock;
	d.block = o.log_block / 512;
	d.now = image;
	d.in_flight.clear();
	d.slow.clear();
	d.slow_next = false;
	for (auto &disk : d.fail)
		for (Injection &i : disk)
			i = Injection();
}

/* @what: disk * 3 + kind, or SLOW_READ; @nth: which one from now on, and 0x100 for all from then on */
void disks_fail(unsigned what, unsigned nth)
{
	if (what == SLOW_READ) {
		d.slow_next = true;
		return;
	}
	Injection &i = d.fail[what / 3 % DISKS][what % 3];

	i.nth = (nth & 0xff) + 1;
	i.forever = nth & 0x100;
}

/*----------------------------------------------------------------
 * What the machine calls
 *--------------------------------------------------------------*/

extern "C" void simk_disk_submit(unsigned int disk, const struct simk_req *req)
{
	Request r = {*req, static_cast<uint8_t>(disk), 0, Request::read, false};

	if (req->op != SIMK_READ && !req->sectors) {
		r.kind = Request::flush;
		r.index = static_cast<uint32_t>(d.h->flushes.size());
		d.h->flushes.push_back({static_cast<uint8_t>(disk), false, *d.clock});
		event(Event::flush_sub, r.index);
	} else if (req->op != SIMK_READ) {
		r.kind = Request::write;
		if (req->preflush) {
			/* the data are not sent before the flush has ended */
			const uint32_t f = static_cast<uint32_t>(d.h->flushes.size());

			d.h->flushes.push_back({static_cast<uint8_t>(disk), false, *d.clock});
			event(Event::flush_sub, f);
			d.h->flushes[f].done = *d.clock;
			event(Event::flush_done, f);
		}
		record(disk, *req, r.index);
		event(Event::write_sub, r.index);
	}
	r.fails = d.fail[disk][r.kind].hit();
	if (d.slow_next && r.kind == Request::read && disk == LOG_DISK) {
		d.slow_next = false;
		d.slow_left = 100;
		d.slow.push_back(r);
		return;
	}
	d.in_flight.push_back(r);
}

/* Nothing else can happen. */
extern "C" bool simk_disk_release(void)
{
	bool any = !d.slow.empty();

	d.in_flight.insert(d.in_flight.end(), d.slow.begin(), d.slow.end());
	d.slow.clear();
	return any;
}

extern "C" unsigned int simk_disk_ready(void)
{
	return static_cast<unsigned>(d.in_flight.size());
}

extern "C" void simk_disk_complete(unsigned int i)
{
	Request r = d.in_flight[i];

	d.in_flight.erase(d.in_flight.begin() + i);
	if (!d.slow.empty() && !--d.slow_left)
		simk_disk_release();
	if (r.kind == Request::read) {
		if (!r.fails) {
			scratch.resize(r.req.sectors * 512ul);
			for (unsigned s = 0; s < r.req.sectors; s++) {
				if (r.disk == HOME_DISK)
					fill_sector(&scratch[s * 512ul], d.now.home[r.req.sector + s],
						    static_cast<uint32_t>(r.req.sector + s));
				else
					std::memcpy(&scratch[s * 512ul], &d.now.bytes(r.disk)[(r.req.sector + s) * 512], 512);
			}
			r.req.copy(r.req.bio, scratch.data(), true);
		}
	} else if (r.kind == Request::flush) {
		Flush &f = d.h->flushes[r.index];

		f.done = *d.clock;
		f.failed = r.fails;
		event(Event::flush_done, r.index);
	} else {
		Write &w = d.h->writes[r.index];

		if (changed(r))
			simk_fail("memory of a write to the %s changed while it was in flight, sector %u",
				  DISK_NAMES[w.disk], w.sector);
		if (r.fails)
			w.may &= simk_random();
		w.failed = r.fails;
		w.done = *d.clock;
		event(Event::write_done, r.index);
		apply(w);
	}
	r.req.end(r.req.bio, r.fails ? -5 : 0);
}

} /* namespace sim */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * Between two events no choice lies over a disk; what was found out about an image is kept by the image's hash.
 */
#include <algorithm>
#include <cstring>

#include "crash.h"

namespace trace {

constexpr uint32_t SCAN_SECTORS = 2048;
constexpr uint64_t SLOT = JFMT_SUPER_STRIDE / JFMT_SECTOR, SUPER_SECTORS = JFMT_SUPER_SIZE / JFMT_SECTOR;

Crash::Crash(const Tape &tape, History &history, Log &log, Report &report, const Options &options, Sink sink)
	: tape(tape), history(history), log(log), report(report), options(options), sink(std::move(sink)),
	  random(options.seed), log_disk(tape.log_sectors), home_disk(tape.home_sectors), ahead(log, home_disk, report),
	  home_front(tape.home_sectors), buffer(SCAN_SECTORS * SECTOR)
{
	for (uint64_t s = 0; s < history.sectors(); s++)
		if (!history.versions(s).empty())
			home_front.set(s, history.when(s, ZEROES, Cover::durable, 1));
}

/*----------------------------------------------------------------
 * The tape plays
 *--------------------------------------------------------------*/

void Crash::run()
{
	struct Event {
		Time time;
		const Op *op;
		bool end;
	};
	std::vector<Event> events;

	for (const Op &op : tape.ops) {
		if (op.kind == Kind::read)
			continue;
		if (op.device != VOLUME)
			events.push_back({op.sub, &op, false});
		/* on the volume only what acknowledges durability changes what a crash may leave */
		if (op.done != NEVER && (op.device != VOLUME || op.kind == Kind::flush || op.fua))
			events.push_back({op.done, &op, true});
	}
	std::sort(events.begin(), events.end(), [](const Event &a, const Event &b) { return a.time < b.time; });
	if (options.samples)
		sample_every = std::max<unsigned>(1, static_cast<unsigned>(events.size() / options.samples));
	for (const Event &e : events) {
		if (e.end)
			ended(*e.op);
		else
			submitted(*e.op);
		if (e.time <= tape.begin)
			continue;
		counts.events++;
		/* superblocks, the first record of a lap, fences and acknowledgements */
		bool ranked = e.op->kind == Kind::flush || log.super_of.count(e.op);
		if (auto r = log.record_of.find(e.op); r != log.record_of.end())
			ranked = jring_off(&log.geo, log.records[r->second].head.pos) == 0;
		if (ranked || random() % 1000 < options.share)
			point(e.time);
		/* a sample every so often, and then at the next event of rank or the one after it */
		if (sample_every && ++sample_next >= sample_every && (ranked || random() % 4 == 0)) {
			sample_next = 0;
			sample(e.time);
		}
	}
	counts.distinct = images.size();
	counts.scans = scanned.size();
}

void Crash::submitted(const Op &op)
{
	if (op.device == LOG) {
		log_disk.submit(op);
		if (op.sub > tape.begin && op.writes())
			ahead.log_write(op, off);
		log_moved = log_moved || op.writes();
	} else if (op.device == HOME) {
		home_disk.submit(op);
		if (op.sub > tape.begin && op.writes())
			ahead.home_write(op);
		home_moved = home_moved || op.writes();
	}
}

void Crash::ended(const Op &op)
{
	if (op.device == LOG) {
		for (const Op *w : log_disk.done(op)) {
			log_moved = true;
			if (w->sub <= tape.begin && !log.super_of.count(w))
				continue;
			uint32_t before = ahead.tail();

			if (!ahead.log_durable(*w))
				continue;
			home_moved = true;
			for (uint64_t s : std::vector<uint64_t>(off.begin(), off.end()))
				check_off(s);
			for (uint32_t n = before + 1; n <= ahead.tail(); n++)
				for (const Extent &e : log.records[n].extents)
					for (uint64_t s = e.home; s < e.home + e.len; s++)
						check_off(s);
		}
	} else if (op.device == HOME) {
		settled(home_disk.done(op));
	}
}

void Crash::settled(const std::vector<const Op *> &ops)
{
	for (const Op *op : ops) {
		home_moved = true;
		for (uint32_t i = 0; i < op->sectors; i++) {
			uint64_t s = op->sector + i;

			if (home_disk[s].since != op->sub)
				continue;
			home_front.set(s, home_interval(*op, i));
			check_off(s);
		}
	}
}

void Crash::check_off(uint64_t sector)
{
	const Version *v = log.version(sector, ahead.tail());

	if (v ? v->is(home_disk[sector].hash) : home_disk[sector].hash == ZEROES)
		off.erase(sector);
	else
		off.insert(sector);
}

const Intervals *Crash::home_interval(const Op &op, uint32_t i)
{
	auto &all = home_when[&op];

	if (all.empty())
		all.resize(op.sectors);
	if (!all[i])
		all[i] = history.when(op.sector + i, op.hash[i], Cover::durable, op.sub);
	return all[i];
}

/*----------------------------------------------------------------
 * One moment
 *--------------------------------------------------------------*/

void Crash::point(Time now)
{
	counts.points++;
	if (log_moved) {
		logs.clear();
		for (Choice &choice : enumerate(log_disk, options.most, random)) {
			log_disk.lay(choice);
			uint64_t image = log_disk.image;
			auto [known, fresh] = scanned.try_emplace(image);
			if (fresh)
				known->second = recover(now, choice);
			log_disk.lift();
			logs.push_back({std::move(choice), image, known->second});
		}
	}
	if (home_moved)
		homes = enumerate(home_disk, options.most, random);
	bool moved = log_moved || home_moved;
	log_moved = home_moved = false;

	for (size_t h = 0; h < homes.size(); h++) {
		home_disk.lay(homes[h]);
		auto [alone, fresh] = homes_judged.try_emplace(home_disk.image, 0);
		if (fresh)
			alone->second = judge_home(now, homes[h]);
		if (tape.flush_home && alone->second <= now)
			report.violate("P1 flush home", "the home alone lacks what was acknowledged as durable at " +
				       std::to_string(alone->second) + ", " + state(now, nullptr, &homes[h]));
		counts.states++;	/* with the log lost */

		std::vector<uint64_t> wrong = suspects();
		auto pair = [&](const LogState &l) {
			counts.states++;
			images.insert(l.image * 0x9e3779b97f4a7c15ull + home_disk.image);
			return judge(now, l, homes[h], wrong);
		};
		bool good = true;
		for (size_t l = 0; l < logs.size() && good; l++)
			if (h < 2 || l < 2 || (moved && random() % logs.size() < 4))
				good = pair(logs[l]);
		home_disk.lift();
	}
}

std::string Crash::state(Time now, const Choice *l, const Choice *h) const
{
	std::string text = "crash at " + std::to_string(now);

	if (l)
		text += "\n#   persisted on the log: " + name(*l);
	if (h)
		text += "\n#   persisted on the home: " + name(*h);
	return text;
}

namespace {

struct Scan {
	const Disk &disk;
	const Log &log;
	std::string wrong;
};

int scan_read(void *ctx, __u64 sector, void *to, __u32 sectors)
{
	static_cast<Scan *>(ctx)->disk.read(sector, static_cast<uint8_t *>(to), sectors);
	return 0;
}

/* Is it the record that was written, and is all of it still there? */
int scan_record(void *ctx, const jrecord *r)
{
	Scan &scan = *static_cast<Scan *>(ctx);
	uint32_t n;

	if (!scan.log.find(r->seq, n) || !n || scan.log.records[n].head.crc != r->crc) {
		scan.wrong = "accepts a record " + std::to_string(r->seq) + " that was not written";
		return 1;
	}
	const Op &op = *scan.log.records[n].op;
	for (const Extent &e : scan.log.records[n].extents)
		for (uint32_t i = e.offset; e.kind == Kind::write && i < e.offset + e.len; i++)
			if (scan.disk[op.sector + i].hash != op.hash[i]) {
				scan.wrong = "accepts record " + std::to_string(n) + " whose payload is not there, sector " +
					std::to_string(i) + " of " + name(op);
				return 1;
			}
	return 0;
}

int scan_extent(void *, const jrecord *, const jextent *)
{
	return 0;
}

} /* namespace */

Found Crash::recover(Time now, const Choice &choice)
{
	static const jscan_ops ops = {scan_read, scan_record, scan_extent};
	alignas(8) uint8_t block[JFMT_SUPER_SIZE];
	enum jsuper_verdict verdict[JFMT_SUPER_SLOTS];
	jsuper super[JFMT_SUPER_SLOTS];
	Scan scan = {log_disk, log, {}};
	jscan_result result;
	Found found = {true, 0, 0};
	auto bad = [&](const std::string &rule, const std::string &text) {
		report.violate(rule, "recovery " + text + ", " + state(now, &choice, nullptr));
		return Found{false, 0, 0};
	};

	for (unsigned i = 0; i < JFMT_SUPER_SLOTS; i++) {
		log_disk.read(i * SLOT, block, SUPER_SECTORS);
		verdict[i] = jsuper_decode(block, tape.log_sectors, &super[i]);
	}
	int chosen = jsuper_choose(verdict, super);
	if (chosen < 0)
		return bad("I1 refused", "finds no superblock");
	jscan(&super[chosen], &ops, &scan, buffer.data(), SCAN_SECTORS, super[chosen].geo.area_len, &result);
	if (!scan.wrong.empty())
		return bad("I1 record", scan.wrong);
	if (result.end != JSCAN_END)
		return bad("I1 refused", std::string("refuses the log: ") + result.why);
	if (!log.find(super[chosen].tail_seq, found.tail) || !log.find(result.last_seq, found.last))
		return bad("I1 record", "ends with a record that was not written");
	return found;
}

/* P4. The choice is laid over the home. Gives the time from which on something that it lacks is durable. */
Time Crash::judge_home(Time now, const Choice &choice)
{
	std::vector<std::pair<uint64_t, const Intervals *>> before;

	for (const Part &part : choice)
		for (uint32_t i = 0; i < part.op->sectors; i++) {
			uint64_t s = part.op->sector + i;

			if (home_disk[s].since != part.op->sub || !part.has(i))
				continue;
			before.push_back({s, home_front.get(s)});
			home_front.set(s, home_interval(*part.op, i));
		}
	if (home_front.meet() == NEVER)
		report.violate("P4 home", "sector " + std::to_string(home_front.sector_of_lo()) + " has what was submitted at " +
			       std::to_string(home_front.lo()) + ", but sector " + std::to_string(home_front.sector_of_hi()) +
			       " has what was covered at " + std::to_string(home_front.hi()) + ", " + state(now, nullptr, &choice));
	Time until = home_front.hi();
	for (auto b = before.rbegin(); b != before.rend(); ++b)
		home_front.set(b->first, b->second);
	return until;
}

/* Sectors that differ from V(tail) of the durable superblock. */
std::vector<uint64_t> Crash::suspects() const
{
	std::vector<uint64_t> sectors;
	auto add = [&](uint64_t s) {
		const Version *v = log.version(s, ahead.tail());

		if (v ? !v->is(home_disk[s].hash) : home_disk[s].hash != ZEROES)
			sectors.push_back(s);
	};

	for (uint64_t s : off)
		add(s);
	for (uint64_t s : home_disk.laid())
		add(s);
	return sectors;
}

/* Does @s, after a recovery of the records behind @tail up to @last, not have what V(last) has? */
bool Crash::differs(uint64_t s, const Found &found) const
{
	const Version *v = log.version(s, found.last);

	if (v)
		return v->record <= found.tail && !v->is(home_disk[s].hash);
	return home_disk[s].hash != ZEROES;
}

void Crash::tell_sector(Time now, uint64_t s, const Found &found, const Choice &l, const Choice &h)
{
	const Version *v = log.version(s, found.last);

	report.violate("I7 prefix", "recovery of records " + std::to_string(found.tail + 1) + " to " + std::to_string(found.last) +
		       " leaves sector " + std::to_string(s) + " as it is at home, which is not what it has after record " +
		       std::to_string(found.last) + (v ? " (version of record " + std::to_string(v->record) + ")" : " (never written)") +
		       ", " + state(now, &l, &h));
}

bool Crash::judge(Time now, const LogState &l, const Choice &h, const std::vector<uint64_t> &suspects)
{
	uint32_t tail = l.found.tail, last = l.found.last;

	if (!l.found.good)
		return true;	/* told already */
	if (log.records[last].legal_until <= now) {
		report.violate("P1 durable", "recovery ends with record " + std::to_string(last) + ", and what later records have was "
			       "acknowledged as durable at " + std::to_string(log.records[last].legal_until) + ", " +
			       state(now, &l.choice, nullptr));
		return false;
	}
	auto wrong = [&](uint64_t s) {
		if (!differs(s, l.found))
			return false;
		tell_sector(now, s, l.found, l.choice, h);
		return true;
	};
	for (uint64_t s : suspects)
		if (wrong(s))
			return false;
	for (uint32_t n = ahead.tail() + 1; n <= tail; n++)
		for (const Extent &e : log.records[n].extents)
			for (uint64_t s = e.home; s < e.home + e.len; s++)
				if (wrong(s))
					return false;
	return true;
}

/*----------------------------------------------------------------
 * For the kernel
 *--------------------------------------------------------------*/

void Crash::sample(Time now)
{
	std::vector<Choice> log_choices = enumerate(log_disk, options.most, random);
	std::vector<Choice> home_choices = enumerate(home_disk, options.most, random);
	const Choice &l = log_choices[random() % log_choices.size()], &h = home_choices[random() % home_choices.size()];

	log_disk.lay(l);
	home_disk.lay(h);
	Found found = recover(now, l);
	/* all sectors, where judge() looks only at those that can differ */
	for (uint64_t s = 0; found.good && s < home_disk.sectors(); s++)
		if (differs(s, found)) {
			tell_sector(now, s, found, l, h);
			break;
		}
	if (found.good)
		sink({now, log_disk, home_disk, [&](uint64_t s, uint8_t *to) {
			const Version *v = log.version(s, found.last);

			/* what no record covers is the home's, and so is V(n) there */
			if (!v || v->record <= found.tail)
				home_disk.read(s, to, 1);
			else if (v->data)
				std::memcpy(to, v->data, SECTOR);
			else
				std::memset(to, 0, SECTOR);
		}});
	home_disk.lift();
	log_disk.lift();
}

} /* namespace trace */

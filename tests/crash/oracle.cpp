// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle's rules. All follow from one question: at which times may this value have stood in this sector?
 *
 *   P1  volume: every value was still possible when the power was cut; covering takes durability.
 *   P2  volume: there is one time at which all values stood there; covering takes completion. That is a prefix.
 *   P3  volume: a write of which a sector is there is there with every sector that nothing later can have covered.
 *   P4  home alone: there is one time at which all values stood there; covering takes durability.
 *       That of a home which is the volume after some record: P2 and P3, at any time.
 *   K   home alone: nothing is older than what was complete when the last completed checkpoint was asked for.
 *
 * Nothing here survives a crash but what State::save() wrote.
 */
#include <algorithm>
#include <cstring>
#include <fstream>
#include <map>
#include <stdexcept>

#include "oracle.h"

namespace crash {

namespace {

constexpr uint64_t STATE_MAGIC = 0x32657461'74732d6full;
constexpr unsigned SHOWN = 4;	/* violations of one rule that are told in full */

struct Interval {
	Time lo, hi;
};

using Intervals = std::vector<Interval>;

} /* namespace */

/*----------------------------------------------------------------
 * What is read
 *--------------------------------------------------------------*/

State::State(uint64_t sectors)
	: past(sectors, {Past{.id = 0, .lo = 0, .hi = NEVER, .gone = NEVER, .done = 0, .sector = 0, .sectors = 0, .kind = Kind::write}})
{
}

State State::load(const std::filesystem::path &path)
{
	std::ifstream in(path, std::ios::binary);
	uint64_t head[4];
	State state;

	in.exceptions(std::ios::failbit | std::ios::badbit);
	in.read(reinterpret_cast<char *>(head), sizeof(head));
	if (head[0] != STATE_MAGIC)
		throw std::runtime_error(path.string() + " is no state of the oracle");
	state.generation = static_cast<uint32_t>(head[1]);
	state.now = head[2];
	state.past.resize(head[3]);
	for (auto &versions : state.past) {
		uint32_t n;

		in.read(reinterpret_cast<char *>(&n), sizeof(n));
		versions.resize(n);
		in.read(reinterpret_cast<char *>(versions.data()), n * sizeof(Past));
	}
	return state;
}

void State::save(const std::filesystem::path &path) const
{
	const uint64_t head[4] = {STATE_MAGIC, generation, now, past.size()};
	std::ofstream out(path, std::ios::binary);

	out.exceptions(std::ios::failbit | std::ios::badbit);
	out.write(reinterpret_cast<const char *>(head), sizeof(head));
	for (const auto &versions : past) {
		uint32_t n = static_cast<uint32_t>(versions.size());

		out.write(reinterpret_cast<const char *>(&n), sizeof(n));
		out.write(reinterpret_cast<const char *>(versions.data()), n * sizeof(Past));
	}
	out.close();
}

Run::Run(std::span<const Event> events, Time start)
	: end(start + events.size())
{
	for (size_t i = 0; i < events.size(); i++) {
		const Event &e = events[i];

		if (!e.filled)
			continue;
		if (e.op >= ops.size())
			ops.resize(e.op + 1);
		Op &op = ops[e.op];
		if (e.phase == Phase::submit) {
			op.kind = e.kind;
			op.sector = e.sector;
			op.sectors = e.sectors;
			op.sub = start + i;
			if (e.kind == Kind::cut)
				cut = std::min(cut, op.sub);
		} else {
			op.status = e.status;
			op.done = start + i;
		}
	}

	/* by time of submission: the first completion of a flush submitted then or later */
	std::map<Time, Time> flushed;
	for (const Op &op : ops)
		if (op.kind == Kind::flush && op.done != NEVER && !op.status)
			flushed[op.sub] = op.done;
	Time first = NEVER;
	for (auto f = flushed.rbegin(); f != flushed.rend(); ++f)
		f->second = first = std::min(first, f->second);
	for (Op &op : ops) {
		if (!op.writes() || op.done == NEVER || op.status)
			continue;
		auto f = flushed.upper_bound(op.done);
		op.durable = f == flushed.end() ? NEVER : f->second;
		if (op.kind == Kind::fua)
			op.durable = op.done;
	}
}

static Value read_sector(const uint8_t *data, uint64_t sector)
{
	uint8_t expected[SECTOR] = {};
	Tag tag;

	if (!std::memcmp(data, expected, SECTOR))
		return {Value::zero, 0};
	std::memcpy(&tag, data, SECTOR);
	fill_sector(expected, tag.id, sector);
	if (std::memcmp(data, expected, SECTOR))
		return {Value::garbage, tag.magic == MAGIC ? tag.id : 0};
	return {Value::tag, tag.id};
}

std::vector<Value> read_image(std::span<const uint8_t> image)
{
	std::vector<Value> values(image.size() / SECTOR);

	for (uint64_t s = 0; s < values.size(); s++)
		values[s] = read_sector(&image[s * SECTOR], s);
	return values;
}

/*----------------------------------------------------------------
 * The rules
 *--------------------------------------------------------------*/

namespace {

class Judge {
public:
	Judge(State &state, const Run &run, Verdict &verdict)
		: state(state), run(run), verdict(verdict), on(state.past.size())
	{
		generation = state.generation + 1;
		for (uint32_t i = 0; i < run.ops.size(); i++) {
			const Op &op = run.ops[i];

			if (op.writes())
				for (uint64_t s = op.sector; s < op.sector + op.sectors; s++)
					on.at(s).push_back(i);
		}
	}

	void errors();
	void volume(std::span<const Value> image, uint32_t atomic);
	void home(std::span<const Value> image, uint32_t atomic, Home promise);
	void advance(std::span<const Value> volume);

private:
	State &state;
	const Run &run;
	Verdict &verdict;
	std::vector<std::vector<uint32_t>> on;	/* ops by sector */
	uint32_t generation;
	std::map<std::string, unsigned> told;

	void violate(const std::string &rule, const std::string &text);
	const Op *op_of(uint64_t id, uint64_t sector) const;
	std::string name(uint64_t sector, Value v) const;
	std::string name_op(uint32_t op) const;

	template <class Cover> Time covered(uint64_t sector, Time done, Cover cover) const;
	const Past *past_of(uint64_t id, uint64_t sector) const;
	template <class Cover> void found_at(uint64_t sector, Value v, Cover cover, Intervals &out,
					     Time Past::*until = &Past::hi) const;
	template <class Cover> bool one_time(const char *rule, std::span<const Value> image, Cover cover,
					     Interval &when, Time Past::*until = &Past::hi);
	template <class Cover> std::string coverer(uint64_t sector, Value v, Cover cover) const;
	bool maybe_later(uint64_t sector, Value v, uint64_t id, Time sub) const;
	void whole(const char *rule, std::span<const Value> image, uint32_t atomic);
};

void Judge::violate(const std::string &rule, const std::string &text)
{
	if (told[rule]++ < SHOWN)
		verdict.violations.push_back({rule, text});
}

const Op *Judge::op_of(uint64_t id, uint64_t sector) const
{
	uint32_t n = static_cast<uint32_t>(id);

	if (id >> 32 != generation || n >= run.ops.size())
		return nullptr;
	const Op &op = run.ops[n];
	return op.has_data() && sector - op.sector < op.sectors ? &op : nullptr;
}

const Past *Judge::past_of(uint64_t id, uint64_t sector) const
{
	for (const Past &p : state.past[sector])
		if (p.kind == Kind::write && p.id == id)
			return &p;
	return nullptr;
}

std::string time_text(Time t)
{
	return t == NEVER ? "never" : std::to_string(t);
}

std::string id_text(uint64_t id)
{
	return id ? std::to_string(id >> 32) + ":" + std::to_string(static_cast<uint32_t>(id)) : "initial";
}

std::string Judge::name_op(uint32_t n) const
{
	static const char *const kinds[] = {"none", "write", "FUA write", "flush", "discard", "write-zeroes",
					    "checkpoint", "cut"};
	const Op &op = run.ops[n];

	return std::string(kinds[static_cast<int>(op.kind)]) + " " + id_text(make_id(generation, n)) + " of [" +
	       std::to_string(op.sector) + ", +" + std::to_string(op.sectors) + ") submitted " + time_text(op.sub) +
	       " completed " + time_text(op.done) + " durable " + time_text(op.durable);
}

std::string Judge::name(uint64_t sector, Value v) const
{
	std::string text = "sector " + std::to_string(sector) + " has ";

	if (v.what == Value::garbage)
		return text + "garbage" + (v.id ? " (torn inside the sector, or of another one: " + id_text(v.id) + ")" : "");
	if (v.what == Value::zero)
		return text + "zeroes";
	if (const Op *op = op_of(v.id, sector))
		return text + name_op(static_cast<uint32_t>(op - run.ops.data()));
	if (const Past *p = past_of(v.id, sector))
		return text + id_text(v.id) + " of former times, possible in [" + time_text(p->lo) + ", " + time_text(p->hi) +
		       "), covered at " + time_text(p->gone);
	return text + id_text(v.id) + ", which cannot be there any more";
}

/* When is what completed at @done covered, at the latest? */
template <class Cover> Time Judge::covered(uint64_t sector, Time done, Cover cover) const
{
	Time t = NEVER;

	for (uint32_t i : on[sector])
		if (run.ops[i].sub > done)
			t = std::min(t, cover(run.ops[i]));
	return t;
}

/* The times at which @v may have stood in the sector. */
template <class Cover>
void Judge::found_at(uint64_t sector, Value v, Cover cover, Intervals &out, Time Past::*until) const
{
	auto add = [&](Time lo, Time hi) {
		if (lo < hi)
			out.push_back({lo, hi});
	};
	Time lo = 0;

	out.clear();
	if (v.what == Value::garbage)
		return;
	if (v.what == Value::tag) {
		if (const Op *op = op_of(v.id, sector)) {
			lo = op->sub;
			add(lo, covered(sector, op->done, cover));
		} else {
			const Past *p = past_of(v.id, sector);
			if (!p)
				return;
			lo = p->lo;
			add(lo, std::min(p->*until, covered(sector, 0, cover)));
		}
	}
	/* After a discard there are zeroes, or anything older; after write-zeroes there are zeroes. */
	auto holds = [&](Kind kind) {
		return kind == Kind::discard || (kind == Kind::zeroes && v.what == Value::zero);
	};
	for (const Past &p : state.past[sector])
		if (holds(p.kind))
			add(std::max(lo, p.lo), std::min(p.*until, covered(sector, 0, cover)));
	for (uint32_t i : on[sector])
		if (holds(run.ops[i].kind))
			add(std::max(lo, run.ops[i].sub), covered(sector, run.ops[i].done, cover));
}

/* The operation that makes @v impossible. */
template <class Cover> std::string Judge::coverer(uint64_t sector, Value v, Cover cover) const
{
	const Op *op = v.what == Value::tag ? op_of(v.id, sector) : nullptr;
	uint32_t first = 0;
	Time t = NEVER;

	for (uint32_t i : on[sector])
		if ((!op || run.ops[i].sub > op->done) && cover(run.ops[i]) < t) {
			t = cover(run.ops[i]);
			first = i;
		}
	return t == NEVER ? "" : ", covered by " + name_op(first);
}

/* Is there a time in @when that is possible for all sectors? It becomes all that are. */
template <class Cover>
bool Judge::one_time(const char *rule, std::span<const Value> image, Cover cover, Interval &when, Time Past::*until)
{
	std::vector<Intervals> choices;
	uint64_t lo_sector = 0, hi_sector = 0;
	Intervals at;

	for (uint64_t s = 0; s < image.size(); s++) {
		found_at(s, image[s], cover, at, until);
		if (at.empty()) {
			violate(rule, name(s, image[s]) + coverer(s, image[s], cover));
			continue;
		}
		/* Most values have one interval; those that stay apart are looked at below. */
		std::sort(at.begin(), at.end(), [](Interval a, Interval b) { return a.lo < b.lo; });
		Intervals joined;
		for (Interval i : at) {
			if (!joined.empty() && i.lo <= joined.back().hi)
				joined.back().hi = std::max(joined.back().hi, i.hi);
			else
				joined.push_back(i);
		}
		if (joined.front().lo > when.lo) {
			when.lo = joined.front().lo;
			lo_sector = s;
		}
		if (joined.back().hi < when.hi) {
			when.hi = joined.back().hi;
			hi_sector = s;
		}
		if (joined.size() > 1)
			choices.push_back(joined);
	}
	if (when.lo >= when.hi) {
		violate(rule, name(lo_sector, image[lo_sector]) + ", but " + name(hi_sector, image[hi_sector]) +
			coverer(hi_sector, image[hi_sector], cover));
		return false;
	}
	/* Move up to the first time that every choice contains. */
	for (bool moved = true; moved;) {
		moved = false;
		for (const Intervals &c : choices) {
			auto i = std::find_if(c.begin(), c.end(), [&](Interval i) { return i.hi > when.lo; });

			if (i == c.end() || i->lo >= when.hi) {
				violate(rule, "no time fits all sectors with zeroes, from " + time_text(when.lo) + " on");
				return false;
			}
			if (i->lo > when.lo) {
				when.lo = i->lo;
				moved = true;
			}
		}
	}
	return told[rule] == 0;
}

/* Can @v, found in a sector that the write @id, submitted at @sub, covers, have come after it? */
bool Judge::maybe_later(uint64_t sector, Value v, uint64_t id, Time sub) const
{
	auto wipes = [&](Kind kind) { return kind == Kind::discard || (kind == Kind::zeroes && v.what == Value::zero); };

	if (v.what == Value::tag) {
		if (v.id == id)
			return true;
		if (const Op *op = op_of(v.id, sector))
			return op->done > sub;
		if (const Past *p = past_of(v.id, sector); p && p->done > sub)
			return true;
	}
	return std::any_of(on[sector].begin(), on[sector].end(),
			   [&](uint32_t i) { return run.ops[i].done > sub && wipes(run.ops[i].kind); }) ||
	       std::any_of(state.past[sector].begin(), state.past[sector].end(),
			   [&](const Past &p) { return p.done > sub && wipes(p.kind); });
}

/* P3, for writes of former generations too. */
void Judge::whole(const char *rule, std::span<const Value> image, uint32_t atomic)
{
	struct Write {
		uint64_t sector;
		uint32_t sectors;
		Time sub;
	};
	std::map<uint64_t, Write> seen;

	for (uint64_t s = 0; s < image.size(); s++) {
		const Value v = image[s];

		if (v.what != Value::tag || seen.count(v.id))
			continue;
		if (const Op *op = op_of(v.id, s))
			seen[v.id] = {op->sector, op->sectors, op->sub};
		else if (const Past *p = past_of(v.id, s))
			seen[v.id] = {p->sector, p->sectors, p->lo};
	}
	for (const auto &[id, w] : seen) {
		if (w.sectors > atomic)
			continue;
		for (uint64_t s = w.sector; s < w.sector + w.sectors; s++)
			if (!maybe_later(s, image[s], id, w.sub)) {
				violate(rule, "a part is there of write " + id_text(id) + " of [" + std::to_string(w.sector) + ", +" +
					std::to_string(w.sectors) + ") submitted " + time_text(w.sub) + ", but " + name(s, image[s]));
				break;
			}
	}
}

void Judge::errors()
{
	for (uint32_t i = 0; i < run.ops.size(); i++)
		if (run.ops[i].status && run.ops[i].done < run.cut)
			violate("error", name_op(i) + " failed: " + std::to_string(run.ops[i].status));
}

void Judge::volume(std::span<const Value> image, uint32_t atomic)
{
	auto durable = [](const Op &op) { return op.durable; };
	auto complete = [](const Op &op) { return op.status ? NEVER : op.done; };
	Interval when = {state.now, NEVER};
	Intervals at;

	for (uint64_t s = 0; s < image.size(); s++) {
		found_at(s, image[s], durable, at);
		if (std::none_of(at.begin(), at.end(), [&](Interval i) { return i.hi > run.end; }))
			violate("P1 durable", name(s, image[s]) + coverer(s, image[s], durable));
		verdict.changed += !on[s].empty();
	}
	one_time("P2 prefix", image, complete, when);
	whole("P3 atomic", image, atomic);
}

void Judge::home(std::span<const Value> image, uint32_t atomic, Home promise)
{
	auto durable = [](const Op &op) { return op.durable; };
	auto complete = [](const Op &op) { return op.status ? NEVER : op.done; };
	Interval when = {0, NEVER};
	bool good = promise == Home::record ? one_time("P4 home", image, complete, when, &Past::gone) :
					      one_time("P4 home", image, durable, when);

	if (good) {
		verdict.home_lo = when.lo;
		verdict.home_hi = when.hi;
	}
	if (promise == Home::record)
		whole("P4 atomic", image, atomic);

	Time asked = 0;
	for (const Op &op : run.ops)
		if (op.kind == Kind::checkpoint && op.done != NEVER && !op.status)
			asked = std::max(asked, op.sub);
	if (!asked)
		return;
	auto required = [&](const Op &op) { return !op.status && op.done < asked ? op.done : NEVER; };
	Intervals at;
	for (uint64_t s = 0; s < image.size(); s++) {
		found_at(s, image[s], required, at);
		if (std::none_of(at.begin(), at.end(), [](Interval i) { return i.hi == NEVER; }))
			violate("K checkpoint", name(s, image[s]) + coverer(s, image[s], required) +
				", with a checkpoint asked for at " + time_text(asked));
	}
}

/* The volume as found is what the next generation starts from. */
void Judge::advance(std::span<const Value> volume)
{
	auto durable = [](const Op &op) { return op.durable; };
	auto complete = [](const Op &op) { return op.status ? NEVER : op.done; };
	auto is_it = [](Value v, Kind kind, uint64_t id) {
		if (v.what == Value::zero)
			return kind == Kind::discard || kind == Kind::zeroes;
		return kind == Kind::write && id == v.id;
	};

	for (uint64_t s = 0; s < volume.size(); s++) {
		Time all = covered(s, 0, durable), over = covered(s, 0, complete);
		std::vector<Past> next;
		auto add = [&](Past p) {
			if (is_it(volume[s], p.kind, p.id) && p.hi > run.end) {
				p.hi = p.gone = NEVER;
			} else {
				p.hi = std::min(p.hi, run.end);
				p.gone = std::min(p.gone, run.end);
			}
			p.done = std::min(p.done, run.end);
			if (p.lo < p.hi && p.hi > verdict.home_lo)
				next.push_back(p);
		};

		for (Past p : state.past[s]) {
			p.hi = std::min(p.hi, all);
			p.gone = std::min(p.gone, over);
			add(p);
		}
		for (uint32_t i : on[s]) {
			const Op &op = run.ops[i];

			add({.id = make_id(generation, i), .lo = op.sub, .hi = covered(s, op.done, durable),
			     .gone = covered(s, op.done, complete), .done = op.status ? NEVER : op.done, .sector = op.sector,
			     .sectors = op.sectors, .kind = op.has_data() ? Kind::write : op.kind});
		}
		state.past[s] = next;
	}
	state.generation = generation;
	state.now = run.end + 1;
}

} /* namespace */

Verdict judge(State &state, const Run &run, std::span<const Value> volume, std::span<const Value> home, uint32_t atomic,
	      Home promise)
{
	Verdict verdict;
	Judge j(state, run, verdict);

	j.errors();
	if (!volume.empty())
		j.volume(volume, atomic);
	if (!home.empty())
		j.home(home, atomic, promise);
	if (!volume.empty() && !home.empty())
		for (uint64_t s = 0; s < home.size(); s++)
			verdict.behind += home[s].what != volume[s].what || home[s].id != volume[s].id;
	if (!volume.empty())
		j.advance(volume);
	return verdict;
}

} /* namespace crash */

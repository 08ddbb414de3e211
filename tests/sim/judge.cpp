// SPDX-License-Identifier: GPL-2.0-only
/* The oracle; see judge.h for what it promises. A judge that is asked about an unknown value calls it garbage. */
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "judge.h"

extern "C" {
#include "format.h"
}

namespace sim {

Judge::Judge(const Case &c)
	: c(c), home(static_cast<uint32_t>(c.opts.home_len)), hi(home, NEVER), zero_lo(home, NEVER), zero_hi(home, 0),
	  base(home, 0), base_seq(c.opts.first_seq), used_seq(c.opts.first_seq)
{
	ops.push_back({Do::write, 0, static_cast<uint16_t>(home), false, 0, 0, 0});
	exact = c.opts.batch_payload && c.opts.batch_mib;
	for (const Generation &g : c.gens)
		for (const Item &i : g.items)
			exact &= i.kind != Do::reload;
}

std::string Judge::name(Value v) const
{
	if (v == ZERO)
		return "zeroes";
	if (v == GARBAGE)
		return "garbage";
	if (v == ANY)
		return "anything";
	return v ? "op " + std::to_string(v) : "the initial contents";
}

/*----------------------------------------------------------------
 * Tables
 *--------------------------------------------------------------*/

/* When is a value of sector @s that was complete at @done covered for good? Only operations of this generation cover. */
Time Judge::covered(uint32_t s, Time done) const
{
	Time t = NEVER;

	for (uint32_t i = first_op; i < ops.size(); i++) {
		const Op &x = ops[i];

		if ((x.writes() || (x.wipes() && !keeps(x))) && x.touches(s) && x.sub != NEVER && x.sub > done)
			t = std::min(t, x.durable);
	}
	return t;
}

void Judge::durable_times()
{
	first_ack = NEVER;
	for (uint32_t i = first_op; i < ops.size(); i++) {
		const Op &f = ops[i];

		if (f.done == NEVER || f.failed)
			continue;
		if (f.kind == Do::flush || f.kind == Do::flush_write || f.is_fua())
			first_ack = std::min(first_ack, f.done);
	}
	for (uint32_t i = first_op; i < ops.size(); i++) {
		Op &w = ops[i];

		w.durable = NEVER;
		if (w.done == NEVER || w.failed)
			continue;
		if (w.is_fua())
			w.durable = w.done;
		for (uint32_t k = first_op; k < ops.size(); k++) {
			const Op &f = ops[k];

			if ((f.kind == Do::flush || f.kind == Do::flush_write || f.kind == Do::flush_fua) && f.done != NEVER &&
			    !f.failed && f.sub > w.done)
				w.durable = std::min(w.durable, f.done);
		}
	}
}

void Judge::fill_tables()
{
	hi = hi_before;
	hi.resize(ops.size() * home, 0);
	zero_lo = zero_lo_before;
	zero_hi = zero_hi_before;
	durable_times();
	for (uint32_t s = 0; s < home; s++) {
		Time old = covered(s, 0);

		for (Value v = 0; v < first_op; v++)
			hi_of(v, s) = std::min(hi_of(v, s), old);
		zero_hi[s] = std::min(zero_hi[s], old);
		for (uint32_t i = first_op; i < ops.size(); i++) {
			const Op &op = ops[i];

			if (!op.touches(s) || op.sub == NEVER)
				continue;
			if (op.writes()) {
				hi_of(i, s) = covered(s, op.done);
			} else if (op.wipes()) {
				zero_lo[s] = std::min(zero_lo[s], op.sub);
				zero_hi[s] = std::max(zero_hi[s], covered(s, op.done));
			}
		}
		/* after a discard that the home does not carry out, older contents may come back */
		for (uint32_t i = first_op; i < ops.size(); i++) {
			if (!keeps(ops[i]) || !ops[i].touches(s) || ops[i].sub == NEVER)
				continue;
			Time until = covered(s, ops[i].done);
			for (Value v = 0; v < ops.size(); v++)
				if (!v || ops[v].touches(s))
					hi_of(v, s) = std::max(hi_of(v, s), until);
		}
	}
}

Time Judge::value_hi(Value v, uint32_t s) const
{
	if (v == ZERO)
		return zero_hi[s];
	return v < ops.size() && ops[v].touches(s) ? hi[v * home + s] : 0;
}

Time Judge::value_lo(Value v, uint32_t s) const
{
	if (v == ZERO)
		return zero_lo[s];
	return v < ops.size() && ops[v].touches(s) ? ops[v].sub : NEVER;
}

/*----------------------------------------------------------------
 * The chain
 *--------------------------------------------------------------*/

Violation Judge::add_record(const History &history, uint32_t write, std::vector<uint32_t> &record_of)
{
	const Write &w = history.writes[write];
	const uint8_t *data = &history.bytes[w.data];
	const Link &last = chain.back();
	jfmt_record h;
	Link link;
	uint32_t at = 0;

	std::memcpy(&h, data, sizeof(h));
	if (h.magic != JFMT_RECORD_MAGIC)
		return {"format", "a write to the log's area that is no record, sector " + std::to_string(w.sector)};
	if (h.prev_seq != last.seq || h.seq <= last.seq)
		return {"P2 prefix", "record " + std::to_string(h.seq) + " names " + std::to_string(h.prev_seq) +
			" as the one before, which is " + std::to_string(last.seq)};
	if (h.seq <= used_seq)
		return {"P2 prefix", "sequence " + std::to_string(h.seq) + " is used again, after a crash"};
	link.seq = h.seq;
	link.durable = h.durable_seq;
	link.write = write;
	link.sub = w.sub;
	link.volume = last.volume;
	for (unsigned n = 0; n < h.nr_desc; n++) {
		const uint8_t *desc = data + at * 512ul;
		const jfmt_extent *x = reinterpret_cast<const jfmt_extent *>(desc + (n ? sizeof(jfmt_desc) : sizeof(h)));
		uint32_t next = n ? reinterpret_cast<const jfmt_desc *>(desc)->next_desc : h.next_desc;
		unsigned left = n ? reinterpret_cast<const jfmt_desc *>(desc)->nr_extents : h.nr_extents;
		uint32_t payload = at + c.opts.unit;

		for (; left; left--, x++) {
			uint32_t where = static_cast<uint32_t>(x->where & JFMT_HOME_MASK);
			unsigned kind = static_cast<unsigned>(x->where >> JFMT_HOME_BITS);

			for (uint32_t i = 0; i < x->len && where + i < home; i++) {
				Value v = kind == JFMT_DISCARD && !machine_discards(&c.opts) ? ANY : ZERO;

				if (kind == JFMT_DATA) {
					v = value_of(data + (payload + i) * 512ul, where + i);
					if (v != ZERO && v < ops.size()) {
						uint32_t &r = record_of[v];
						if (r && r != chain.size() && ops[v].sectors <= c.opts.record_max - 2 * c.opts.unit)
							return {"P3 atomic", "op " + std::to_string(v) + " lies in two records"};
						r = static_cast<uint32_t>(chain.size());
					}
				}
				link.volume[where + i] = v;
			}
			if (kind == JFMT_DATA)
				payload += x->len;
		}
		at = next;
		if (at >= w.sectors || (n + 1 < h.nr_desc && !at))
			return {"format", "record " + std::to_string(h.seq) + " has a descriptor beyond its end"};
	}
	link.hi = NEVER;
	for (uint32_t s = 0; s < home; s++)
		if (link.volume[s] != ANY)
			link.hi = std::min(link.hi, value_hi(link.volume[s], s));
	chain.push_back(link);
	return {};
}

/* What completed before another was submitted lies in no later record. */
Violation Judge::check_order(const std::vector<uint32_t> &record_of) const
{
	for (uint32_t a = first_op; a < ops.size(); a++)
		for (uint32_t b = first_op; b < ops.size(); b++)
			if (record_of[a] && record_of[b] && ops[a].done < ops[b].sub && record_of[a] > record_of[b] &&
			    ops[a].sectors <= c.opts.record_max - 2 * c.opts.unit)
				return {"P2 prefix", "op " + std::to_string(a) + " completed before op " + std::to_string(b) +
					" was submitted, and lies in a later record"};
	return {};
}

/* A recovery that cuts off what it gave up: a unit of zeroes, before anybody can see the volume. */
static bool cuts_off(const History &h, const Write &w, uint32_t unit)
{
	const Time back = h.holds.empty() || h.holds.back().kind != Do::rollback ? NEVER : h.holds.back().sub;

	return w.fua && w.sectors == unit && std::all_of(&h.bytes[w.data], &h.bytes[w.data] + unit * 512, [](uint8_t b) { return !b; }) &&
	       std::none_of(h.events.begin(), h.events.end(),
			    [&](const Event &e) { return e.what == Event::op_sub && e.time < w.sub && w.sub < back; });
}

Violation Judge::build_chain(const History &h)
{
	std::vector<uint32_t> record_of(ops.size());
	Link start = {.seq = base_seq, .volume = base, .hi = NEVER};

	for (uint32_t s = 0; s < home; s++)
		if (base[s] != ANY)
			start.hi = std::min(start.hi, value_hi(base[s], s));
	chain.assign(1, start);
	/* several may be on their way, and are submitted in any order */
	std::vector<std::pair<uint64_t, uint32_t>> records;
	for (uint32_t i = 0; i < h.writes.size(); i++) {
		if (h.writes[i].disk != LOG_DISK || h.writes[i].sector < SIM_AREA_START || cuts_off(h, h.writes[i], c.opts.unit))
			continue;
		jfmt_record head;
		std::memcpy(&head, &h.bytes[h.writes[i].data], sizeof(head));
		records.emplace_back(head.seq, i);
	}
	std::sort(records.begin(), records.end());
	for (const auto &[seq, i] : records)
		if (Violation v = add_record(h, i, record_of); v.any())
			return v;
	return check_order(record_of);
}

/* A read gives the last completed write before it, or one that overlaps it in time. */
Violation Judge::check_reads(const History &h) const
{
	for (size_t n = 0; n < h.reads.size(); n++) {
		const ReadResult &r = h.reads[n];
		const Op &read = ops[r.op];

		for (uint32_t i = 0; i < r.values.size(); i++) {
			uint32_t s = read.sector + i;
			Value v = r.values[i];
			if (read.sub > back_done) {
				if (v != back->volume[s] && back->volume[s] != ANY)
					return {"rollback", "sector " + std::to_string(s) + " reads as " + name(v) + ", and was " +
						name(back->volume[s]) + " at the mark"};
				continue;
			}
			bool loose = false, fits = false;
			auto hidden = [&](Time done) {
				for (uint32_t k = first_op; k < ops.size(); k++)
					if (ops[k].touches(s) && (ops[k].writes() || ops[k].wipes()) && !ops[k].failed &&
					    ops[k].sub != NEVER && ops[k].sub > done && ops[k].done < read.sub)
						return true;
				return false;
			};

			for (uint32_t k = first_op; k < ops.size(); k++)
				if (ops[k].touches(s) && ops[k].wipes() && ops[k].sub < read.done) {
					loose |= keeps(ops[k]);
					fits |= v == ZERO && !hidden(ops[k].done);
				}
			if (v == base[s])
				fits |= !hidden(0);
			if (v >= first_op && v < ops.size() && ops[v].touches(s) && ops[v].sub < read.done)
				fits |= !hidden(ops[v].done);
			loose |= base[s] == ANY;
			if (!fits && !loose)
				return {"read", "op " + std::to_string(r.op) + " reads " + name(v) + " in sector " +
					std::to_string(s)};
			const Value last = chain.back().volume[s];
			if (h.quiet && n >= h.last_reads && last != ANY && last != v)
				return {"P2 order", "sector " + std::to_string(s) + " reads as " + name(v) +
					", but the log's last word is " + name(last)};
		}
	}
	return {};
}

/* Rule 8: a superblock, PREFLUSH and FUA, is durable before anybody can see the volume. */
Violation Judge::check_barrier(const History &h) const
{
	for (const Event &e : h.events) {
		if (e.what == Event::op_sub)
			return {"rule 8", "the volume is exposed before a barrier is durable"};
		if (e.what == Event::write_done && h.writes[e.index].sector < SIM_AREA_START && h.writes[e.index].disk == LOG_DISK &&
		    h.writes[e.index].fua && !h.writes[e.index].failed && !h.flushes.empty() && !h.flushes[0].failed &&
		    h.flushes[0].done <= e.time)
			return {};
	}
	return {};
}

/*----------------------------------------------------------------
 * Marks, and the way back to one
 *--------------------------------------------------------------*/

const std::vector<Value> *Judge::volume_at(uint64_t seq) const
{
	for (const Link &l : chain)
		if (l.seq == seq)
			return &l.volume;
	const auto found = former.find(seq);
	return found == former.end() ? nullptr : &found->second;
}

/* It holds all that was acknowledged before it was asked for. */
Violation Judge::check_mark(const Held &mark) const
{
	const std::vector<Value> *volume = volume_at(mark.seq);

	if (!volume)
		return {"mark", "mark " + std::to_string(mark.mark) + " names record " + std::to_string(mark.seq) + ", which there is not"};
	for (uint32_t s = 0; s < home; s++) {
		const Value v = (*volume)[s];
		Time done = v >= first_op && v < ops.size() ? ops[v].done : 0;

		for (uint32_t i = first_op; v == ZERO && i < ops.size(); i++)
			if (ops[i].wipes() && ops[i].touches(s) && ops[i].sub < mark.done)
				done = std::max(done, ops[i].done);
		for (uint32_t i = first_op; v != ANY && i < ops.size(); i++)
			if ((ops[i].writes() || (ops[i].wipes() && !keeps(ops[i]))) && ops[i].touches(s) && !ops[i].failed &&
			    ops[i].sub != NEVER && ops[i].sub > done && ops[i].done < mark.sub)
				return {"mark", "mark " + std::to_string(mark.mark) + " has " + name(v) + " in sector " + std::to_string(s) +
					", and op " + std::to_string(i) + " was acknowledged before"};
	}
	return {};
}

Violation Judge::check_holds(const History &h, bool failures)
{
	holds.begin(h, exposed);
	back.reset();
	back_done = NEVER;
	for (const Held &e : holds.asked()) {
		const std::string what = std::string(1, static_cast<char>(e.kind)) + " of mark " + std::to_string(e.mark);
		const bool unknown = e.error == -ENOENT && !holds.must(e.bits(), e.sub);

		if (e.kind == Do::mark && !e.error && !(holds.gave_up() && e.seq == ~0ull)) {
			if (Violation v = check_mark(e); v.any())
				return v;
		}
		if (e.error && !failures && e.error != -EEXIST && !unknown)
			return {"mark", what + " fails with " + std::to_string(e.error)};
		if (e.kind != Do::rollback || e.error == -ENOENT)
			continue;
		const std::vector<Value> *volume = volume_at(e.seq);
		if (!volume && !e.error)
			return {"rollback", what + " goes to record " + std::to_string(e.seq) + ", which there is not"};
		if (!volume)
			continue;
		back = Link{.seq = e.seq, .volume = *volume, .hi = NEVER, .sub = e.sub};
		back_done = e.error ? NEVER : e.done;
	}
	for (const Write &w : h.writes)
		if (w.disk == HOME_DISK && holds.keeps_home(w.sub))
			return {"hold", "the home is written at " + std::to_string(w.sub) + ", under a hold"};
	return {};
}

Violation Judge::history(const History &h, bool failures)
{
	first_op = h.first_op;
	hi_before = hi;
	zero_lo_before = zero_lo;
	zero_hi_before = zero_hi;
	fill_tables();
	const auto first = std::find_if(h.events.begin(), h.events.end(), [](const Event &e) { return e.what == Event::op_sub; });
	exposed = first == h.events.end() ? NEVER : first->time;
	find_whole(h);
	Violation v = check_barrier(h);
	if (!v.any())
		v = build_chain(h);
	if (!v.any())
		v = check_holds(h, failures);
	return v.any() ? v : check_reads(h);
}

/*----------------------------------------------------------------
 * States
 *--------------------------------------------------------------*/

/* Is this the volume after some record, from the first one on? */
bool Judge::is_some_record(const Value *at_home) const
{
	auto same = [&](const std::vector<Value> &volume) {
		for (uint32_t s = 0; s < home; s++)
			if (volume[s] != at_home[s] && volume[s] != ANY)
				return false;
		return true;
	};

	return std::any_of(chain.rbegin(), chain.rend(), [&](const Link &l) { return same(l.volume); }) ||
	       std::any_of(former.rbegin(), former.rend(), [&](const auto &f) { return same(f.second); });
}

Violation Judge::state(const Image &image, Value *volume, Found &found)
{
	const uint8_t *log = image.log.data();
	const Value *at_home = volume;
	machine_found m = {};
	machine_reader rd = {
		.log = log, .log_sectors = SIM_AREA_START + c.opts.area_len,
		.window = 4ull * c.opts.inflight_kib + 2 * c.opts.record_max, .volume = volume, .value = value_of,
		.zero = ZERO,
	};

	/* P4: the home alone, when its intent device has been applied */
	std::copy(image.home.begin(), image.home.end(), volume);
	if (c.opts.batch_payload) {
		const char *why = machine_apply(image.intent.data(), image.intent.size() / 512, volume, value_of, ZERO,
						machine_discards(&c.opts));
		if (why)
			return {"P4 intent", why};
		if (exact && !is_some_record(volume))
			return {"P4 home", "home alone: this is not the volume after any record"};
	}
	Time lo = 0, top = NEVER;
	uint32_t lo_s = 0, top_s = 0;
	found.home_hi = NEVER;
	for (uint32_t s = 0; s < home; s++) {
		Value v = at_home[s];
		Time l = value_lo(v, s), t = value_hi(v, s);

		if (l > lo) {
			lo = l;
			lo_s = s;
		}
		if (t < top) {
			top = t;
			top_s = s;
		}
	}
	found.home_hi = top;
	found.torn = lo >= top;
	if (found.torn && !c.opts.relaxed)
		return {"P4 home", "home alone: sector " + std::to_string(lo_s) + " has " + name(at_home[lo_s]) + " and sector " +
			std::to_string(top_s) + " still has " + name(at_home[top_s])};

	machine_recover(&rd, &m);
	tail = m.tail_seq;
	found.marks = m.marks;
	if (m.passed)
		return {"mark", "a batch passes a mark"};
	if (!m.ok)
		return {"P1 refused", std::string("recovery refuses: ") + m.why};
	auto link = std::lower_bound(chain.begin(), chain.end(), m.last_seq,
				     [](const Link &l, uint64_t seq) { return l.seq < seq; });
	const bool there = link != chain.end() && link->seq == m.last_seq;
	if (!there && !(back && back->seq == m.last_seq))
		return {m.last_seq < chain.front().seq ? "P1 durable" : "P2 prefix",
			"recovery ends with record " + std::to_string(m.last_seq) + ", which " +
			(m.last_seq < chain.front().seq ? "is before the last barrier" : "was never written in this generation")};
	found.link = static_cast<uint32_t>(there ? link - chain.begin() : static_cast<long>(chain.size()));
	const Link &is = link_of(found);
	for (uint32_t s = 0; s < home; s++)
		if (volume[s] != is.volume[s] && is.volume[s] != ANY)
			return {"P2 prefix", "up to record " + std::to_string(m.last_seq) + " sector " + std::to_string(s) +
				" should have " + name(is.volume[s]) + " and has " + name(volume[s])};
	return {};
}

/* When the checkpoint target says that the home alone is consistent. */
void Judge::find_whole(const History &h)
{
	whole.clear();
	for (const Event &e : h.events)
		if (whole.empty() || whole.back().second != e.whole)
			whole.emplace_back(e.time, e.whole);
}

bool Judge::may_be_torn(Time t) const
{
	auto after = std::lower_bound(whole.begin(), whole.end(), std::make_pair(t, false));

	return c.opts.relaxed && (after == whole.begin() || !std::prev(after)->second);
}

Violation Judge::at(const Found &f, Time t) const
{
	if (f.torn && !may_be_torn(t))
		return {"P4 home", "home alone: torn, and the checkpoint target says that it is consistent"};
	const Link &link = link_of(f);
	const bool went_back = is_back(link) && back->sub < t;

	for (uint32_t bit = 1; bit <= MACHINE_HELD; bit <<= 1) {
		const std::string what = bit == MACHINE_HELD ? "the hold" : "a mark";
		if (!(f.marks & bit) && holds.must(bit, t))
			return {"mark", what + " (" + std::to_string(bit) + ") is lost"};
		/* until then, half of what was asked for before the cut may become a whole */
		if ((f.marks & bit) && !holds.may(bit, t) && exposed < t)
			return {"mark", what + " (" + std::to_string(bit) + ") is there, and nobody asked for it, or it was released"};
	}
	if (back_done < t && !is_back(link))
		return {"rollback", "recovery ends with record " + std::to_string(link.seq) + ", after a rollback to record " +
			std::to_string(back->seq)};
	if (!went_back && link.hi < t)
		return {"P1 durable", "recovery ends with record " + std::to_string(link.seq) +
			", which lacks what was acknowledged as durable at " + std::to_string(link.hi)};
	if (c.opts.flush_home && first_ack < t && f.home_hi < t)
		return {"P1 flush home", "the home alone lacks what was acknowledged as durable at " + std::to_string(f.home_hi)};
	return {};
}

Violation Judge::lost(const Found &before, const Found &found, Time t) const
{
	if (back_done < t && !is_back(link_of(found)))
		return {"rollback", "what a rollback gave up is back"};
	for (uint32_t bit = 1; exposed < t && bit <= MACHINE_HELD; bit <<= 1)
		if (!(found.marks & bit) && holds.must(bit, t))
			return {"mark", "a mark (" + std::to_string(bit) + ") is lost"};
	/* it was not acknowledged yet */
	if (is_back(link_of(before)) && back->sub < t)
		return {};
	if (found.link < before.link)
		return {"rule 9", "what was durable is lost, and recovery takes it for the end of the log"};
	return {};
}

bool Judge::either_slot(Time t) const
{
	return half_back && exposed >= t;
}

void Judge::advance(const Found &f, const Value *volume, Time t)
{
	for (uint32_t i = first_op; i < ops.size(); i++) {
		Op &op = ops[i];

		if (op.sub >= t)
			op.sub = NEVER;
		if (op.done >= t)
			op.done = NEVER;
	}
	fill_tables();
	const Link is = link_of(f);
	base_seq = is.seq;
	for (size_t i = 0; i < chain.size() && i <= f.link && f.link < chain.size(); i++)
		former[chain[i].seq] = chain[i].volume;
	former.erase(former.upper_bound(base_seq), former.end());
	holds.advance(f.marks, t);
	half_back = (is_back(is) && back_done >= t) || (half_back && exposed >= t);
	for (const Link &l : chain)
		if (l.sub < t)
			used_seq = std::max(used_seq, l.seq);
	for (uint32_t s = 0; s < home; s++) {
		/* discarded, and the home carries out nothing: what it has is not settled before it is overwritten */
		base[s] = is.volume[s] == ANY ? ANY : volume[s];
		Time kept = 0;
		for (uint32_t i = 1; base[s] == ANY && i < ops.size(); i++)
			if (keeps(ops[i]) && ops[i].touches(s) && ops[i].sub < t)
				kept = std::max(kept, ops[i].done);
		/* so is what was older than the discard, even if a write that a rollback gave up had settled it */
		for (Value v = 0; v < ops.size(); v++) {
			bool older = kept && (!v || (ops[v].touches(s) && ops[v].sub < kept));
			hi_of(v, s) = base[s] == v || older || (base[s] == ANY && hi_of(v, s) == NEVER) ? NEVER : std::min(hi_of(v, s), t);
		}
		zero_hi[s] = base[s] == ZERO || base[s] == ANY ? NEVER : std::min(zero_hi[s], t);
	}
}

} /* namespace sim */

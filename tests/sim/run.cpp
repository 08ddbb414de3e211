// SPDX-License-Identifier: GPL-2.0-only
/*
 * A case from its first generation to its last: run, cut everywhere, judge, go on from one of the states.
 *
 * Always true: a generation starts by the product's own recovery of what the one before was cut down to, and that
 * recovery is itself cut at each of its writes.
 */
#include <cstdio>
#include <cstring>

#include "enumerate.h"

namespace sim {

Image fresh_image(const machine_opts &o)
{
	Image image;

	image.log.assign((SIM_AREA_START + o.area_len) * 512, 0);
	machine_format(&o, image.log.data(), &image.log[SIM_SLOT1 * 512ul]);
	image.home.assign(o.home_len, 0);
	image.intent.assign(SIM_INTENT_LEN(&o) * 512, 0);
	if (o.batch_payload)
		machine_format_intent(&o, image.intent.data(), &image.intent[SIM_SLOT1 * 512ul]);
	return image;
}

namespace {

void tell_history(const Judge &judge, const History &h, const std::string &story)
{
	for (const Event &e : h.events) {
		const Op *op = e.what == Event::op_sub || e.what == Event::op_done ? &judge.ops[e.index] : nullptr;
		const Write *w = e.what == Event::write_sub || e.what == Event::write_done ? &h.writes[e.index] : nullptr;

		std::printf("  %5u  ", e.time);
		if (op)
			std::printf("%-6s op %u %c [%u, +%u)%s\n", e.what == Event::op_sub ? "submit" : "done", e.index,
				    static_cast<char>(op->kind), op->sector, op->sectors,
				    e.what == Event::op_done && op->failed ? " failed" : "");
		else if (w)
			std::printf("         %-6s write %u to the %s [%u, +%u)%s%s\n",
				    e.what == Event::write_sub ? "submit" : "done", e.index,
				    DISK_NAMES[w->disk], w->sector, w->sectors, w->fua ? " FUA" : "",
				    e.what == Event::write_done && w->failed ? " failed" : "");
		else
			std::printf("         %-6s flush of the %s%s\n", e.what == Event::flush_sub ? "submit" : "done",
				    DISK_NAMES[h.flushes[e.index].disk],
				    e.what == Event::flush_done && h.flushes[e.index].failed ? " failed" : "");
	}
	for (const Held &held : h.holds)
		std::printf("  %5u to %u: %c %u, %s%d, record %llu\n", held.sub, held.done, static_cast<char>(held.kind), held.mark,
			    held.error ? "error " : "", held.error, static_cast<unsigned long long>(held.seq));
	std::printf("%s\n", story.c_str());
}

bool injects(const Generation &g)
{
	for (const Item &i : g.items)
		if (i.kind == Do::fail && i.sector != SLOW_READ)
			return true;
	return false;
}

} /* namespace */

/* What an earlier format left in the area: another nonce, the same positions and sequences. */
static void leave_former(const Case &c, Image &image)
{
	std::vector<Op> ops(10000);	/* so that its values are not those of the case */
	Case before = c;
	Time clock = 1;
	History h;

	before.opts.format = 1;
	for (Generation &g : before.gens)
		g.seed++;
	drive(before, before.gens[0], fresh_image(before.opts), ops, clock, h);
	for (const Write &w : h.writes)
		for (unsigned i = 0; w.disk == LOG_DISK && w.sector >= SIM_AREA_START && i < w.sectors; i++)
			std::memcpy(&image.log[(w.sector + i) * 512ul], &h.bytes[w.data + i * 512ul], 512);
}

static Violation failed_ops(const Case &c, const Judge &judge, const History &h)
{
	/* a hold may fill the log */
	if (c.opts.full_error)
		return {};
	for (uint32_t i = h.first_op; i < judge.ops.size(); i++)
		if (judge.ops[i].failed)
			return {"error", "op " + std::to_string(i) + " failed, and no disk did"};
	return {};
}

Violation run_case(const Case &c, Totals &totals, bool tell)
{
	Judge judge(c);
	Image image = fresh_image(c.opts);
	static History h;
	Violation v;

	totals.cases++;
	if (c.former)
		leave_former(c, image);
	for (size_t n = 0; n < c.gens.size(); n++) {
		const Generation &g = c.gens[n];
		std::string story;

		totals.generations++;
		if (tell)
			std::printf("generation %zu\n", n + 1);
		drive(c, g, image, judge.ops, judge.clock, h);
		if (!h.failure.empty()) {
			v = {h.failure.substr(0, 2) == "P5" ? "P5 hang" : "machine", h.failure};
			story = v.rule + ": " + v.text;
		} else if (h.refused && !injects(g)) {
			v = {"P1 refused", "the volume could not be activated"};
			story = v.text;
		}
		for (const Held &held : h.holds) {
			totals.marks += held.kind == Do::mark && !held.error;
			totals.rollbacks += held.kind == Do::rollback && !held.error;
		}
		Violation wrong = judge.history(h, injects(g));
		if (!wrong.any() && !injects(g))
			wrong = failed_ops(c, judge, h);
		if (!v.any() && wrong.any()) {
			v = wrong;
			story = v.rule + ": " + v.text;
		}
		Enumerate states(c, judge, h, totals, Random(g.pick + 77));
		if (!v.any()) {
			v = states.run();
			story = states.story;
		}
		if (tell)
			tell_history(judge, h, story);
		if (v.any())
			return v;
		if (n + 1 < c.gens.size()) {
			judge.advance(states.chosen.found, states.chosen.volume.data(), states.chosen.time);
			image = states.chosen.image;
			if (tell)
				std::printf("  power cut before event %u\n", states.chosen.time);
		}
	}
	return v;
}

} /* namespace sim */

// SPDX-License-Identifier: GPL-2.0-only
/*
 * The user of the volume: does what a case says, and records when each operation was submitted and completed.
 *
 * Always true: an operation's events enclose the real one; every operation completes, or the run has failed (P5).
 */
#include <cerrno>
#include <cstring>

#include "world.h"

namespace sim {

namespace {

constexpr uint64_t HANG_NS = 120000000000ull;

struct Driver {
	const Case *c;
	machine_opts opts;	/* of the next table */
	const Generation *g;
	std::vector<Op> *ops;
	History *h;
	unsigned outstanding;
	bool finished;
	simk_queue changed;	/* an operation has ended */
} dr;

struct Running {
	machine_bio bio;
	uint32_t op;
};

void op_event(decltype(Event::what) what, uint32_t op)
{
	Op &o = (*dr.ops)[op];

	(what == Event::op_sub ? o.sub : o.done) = tick();
	dr.h->events.push_back({what, op, what == Event::op_sub ? o.sub : o.done, machine_home_whole()});
}

void op_end(machine_bio *b, int error)
{
	Running *r = static_cast<Running *>(b->arg);

	(*dr.ops)[r->op].failed = error;
	op_event(Event::op_done, r->op);
	if (b->kind == OP_READ && !error) {
		ReadResult result = {r->op, {}};

		for (uint32_t s = 0; s < b->sectors; s++)
			result.values.push_back(value_of(static_cast<uint8_t *>(b->data) + s * 512ul, b->sector + s));
		dr.h->reads.push_back(result);
	}
	dr.outstanding--;
	simk_progress();
	simk_wake(&dr.changed);
}

machine_kind kind_of(Do kind)
{
	switch (kind) {
	case Do::fua: return OP_FUA;
	case Do::flush: return OP_FLUSH;
	case Do::flush_write: return OP_FLUSH_WRITE;
	case Do::flush_fua: return OP_FLUSH_FUA;
	case Do::discard: return OP_DISCARD;
	case Do::zeroes: return OP_ZEROES;
	case Do::read: return OP_READ;
	default: return OP_WRITE;
	}
}

void submit_fiber(void *arg)
{
	Running *r = static_cast<Running *>(arg);

	op_event(Event::op_sub, r->op);
	machine_submit(&r->bio);
}

/* Start an operation on a fiber of its own. */
void start(Do kind, uint32_t sector, uint32_t sectors)
{
	/* then the block layer writes zeroes as data */
	if (kind == Do::zeroes && dr.c->opts.batch_mib && !dr.c->opts.zeroes_max)
		kind = Do::write;
	Running *r = static_cast<Running *>(simk_alloc(sizeof(*r), 16, true));
	uint32_t id = static_cast<uint32_t>(dr.ops->size());
	Op op = {};

	op.kind = kind;
	op.sector = static_cast<uint16_t>(sector);
	op.sectors = static_cast<uint16_t>(kind == Do::flush ? 0 : sectors);
	op.sub = NEVER;
	dr.ops->push_back(op);
	r->op = id;
	r->bio = {kind_of(kind), sector, op.sectors, nullptr, op_end, r};
	if (op.writes() || kind == Do::read) {
		r->bio.data = simk_alloc(sectors * 512ul, 512, true);
		for (uint32_t s = 0; op.writes() && s < sectors; s++)
			fill_sector(static_cast<uint8_t *>(r->bio.data) + s * 512ul, id, sector + s);
	}
	dr.outstanding++;
	simk_spawn(submit_fiber, r);
}

void join()
{
	while (dr.outstanding)
		simk_wait(&dr.changed, 0);
}

/* Ask for a checkpoint and wait for it, but not for ever: an error stalls it. */
void checkpoint()
{
	uint64_t seq;

	if (machine_checkpoint(&seq))
		return;
	for (unsigned i = 0; i < 100; i++) {
		if (machine_is_home(seq))
			return;
		simk_sleep(100000000);
	}
	simk_fail("P5 a checkpoint of record %llu does not come to an end", static_cast<unsigned long long>(seq));
}

bool resumed(int error)
{
	if (!error)
		return true;
	dr.h->refused = true;
	return false;
}

Held &hold(Do kind, unsigned mark)
{
	static const char *const names[] = {"m0", "m1", "m2", "m3"};
	const char *word = kind == Do::hold ? "hold" : kind == Do::mark ? "mark" : kind == Do::release ? "release" : "rollback";
	const char *name = mark < MACHINE_MARKS && kind != Do::hold ? names[mark] : "";
	Held held = {kind, *name ? mark : NO_MARK};

	dr.h->gave_up |= machine_gave_up();
	if (kind == Do::rollback)
		held.seq = machine_mark_seq(name);
	held.sub = tick();
	dr.h->holds.push_back(held);
	size_t at = dr.h->holds.size() - 1;
	held.error = machine_hold(word, name);
	held.done = tick();
	if (kind == Do::mark)
		held.seq = machine_mark_seq(name);
	simk_progress();
	return dr.h->holds[at] = held;
}

/* False: the volume is at a mark now, or gone. */
bool rollback(unsigned mark)
{
	join();
	machine_suspend(false);
	simk_progress();
	const int error = hold(Do::rollback, mark).error;
	/* half of it may be done, if a disk failed */
	if (error && error != -ENOENT)
		return resumed(error);
	return resumed(machine_resume(nullptr)) && error;
}

/* False: the volume is gone, or at a mark. */
bool do_item(const Item &item)
{
	char status[512];

	switch (item.kind) {
	case Do::checkpoint:
		checkpoint();
		break;
	case Do::suspend:
	case Do::noflush:
		machine_suspend(item.kind == Do::noflush);
		simk_progress();
		return resumed(machine_resume(nullptr));
	case Do::reload:
		/* from batches to single epochs and back */
		if (dr.c->opts.batch_mib)
			dr.opts.batch_mib ^= 1;
		machine_suspend(false);
		simk_progress();
		/* which a new table knows nothing about */
		dr.h->gave_up |= machine_gave_up();
		return resumed(machine_resume(&dr.opts));
	case Do::reload_home:
		return resumed(machine_reload_home(&dr.c->opts));
	case Do::sleep:
		simk_sleep(item.sector * 1000000ull);
		machine_status(status, sizeof(status));
		break;
	case Do::fail:
		disks_fail(item.sector, item.sectors);
		break;
	case Do::hold:
	case Do::mark:
	case Do::release:
		hold(item.kind, item.sector);
		break;
	case Do::rollback:
		return rollback(item.sector);
	default:
		start(item.kind, item.sector, item.sectors);
	}
	return true;
}

void program(void *)
{
	if (!resumed(machine_start(&dr.c->opts))) {
		dr.finished = true;
		return;
	}
	/* what the product recovered, for the comparison with what the image says */
	uint32_t home = static_cast<uint32_t>(dr.c->opts.home_len);
	start(Do::read, 0, home);
	join();
	for (const Item &item : dr.g->items) {
		if (item.join)
			join();
		while (dr.outstanding >= 12)
			simk_wait(&dr.changed, 0);
		if (!do_item(item))
			break;
	}
	const bool back = !dr.h->holds.empty() && dr.h->holds.back().kind == Do::rollback && !dr.h->holds.back().error;
	if (!dr.h->refused && back) {
		start(Do::read, 0, home);
		join();
	} else if (!dr.h->refused) {
		join();
		uint32_t flush = static_cast<uint32_t>(dr.ops->size());
		start(Do::flush, 0, 0);
		join();
		dr.h->quiet = !(*dr.ops)[flush].failed;
		dr.h->last_reads = static_cast<uint32_t>(dr.h->reads.size());
		start(Do::read, 0, home);
		join();
	}
	dr.h->gave_up |= machine_gave_up();
	dr.finished = true;
}

bool done()
{
	return dr.finished;
}

} /* namespace */

void drive(const Case &c, const Generation &g, const Image &image, std::vector<Op> &ops, Time &clock, History &out)
{
	out.clear();
	out.start = image;
	out.first_op = static_cast<uint32_t>(ops.size());
	dr = {&c, c.opts, &g, &ops, &out, 0, false, {}};
	machine_reset(g.seed, &g.mood);
	disks_start(out, image, c.opts, clock);
	simk_spawn(program, nullptr);
	simk_run(done, HANG_NS);
	if (simk_failure())
		out.failure = simk_failure();
}

} /* namespace sim */

/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What submits operations to a device and records them in a history: used by load, which the host cuts, and by cycles,
 * which cuts itself.
 *
 * An operation is in the history before it is submitted. What is written names its operation, so that whatever a
 * sector holds after the cut says where it comes from. Nothing is kept here that a crash could lose.
 */
#ifndef CRASH_WORKER_H
#define CRASH_WORKER_H

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <random>
#include <semaphore>
#include <span>
#include <string>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

#include "history.h"

namespace crash {

[[noreturn]] inline void die(const std::string &what)
{
	std::printf("load: %s: %s\n", what.c_str(), std::strerror(errno));
	std::fflush(stdout);
	_exit(1);
}

/*----------------------------------------------------------------
 * The history
 *--------------------------------------------------------------*/

class Recorder {
public:
	/* In memory, of this many slots. */
	explicit Recorder(uint64_t slots) : slots(slots)
	{
		void *at = mmap(nullptr, sizeof(History) + slots * sizeof(Event), PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (at == MAP_FAILED)
			die("memory");
		history = static_cast<History *>(at);
	}

	/* In a file, or in memory that the host sees as well. */
	explicit Recorder(const char *path)
	{
		int fd = open(path, O_RDWR);
		struct stat st;

		if (fd < 0 || fstat(fd, &st))
			die(path);
		void *at = mmap(nullptr, static_cast<size_t>(st.st_size), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (at == MAP_FAILED)
			die(path);
		history = static_cast<History *>(at);
		slots = slots_in(static_cast<uint64_t>(st.st_size));
	}

	/* False: the history is full, and nothing may be submitted any more. */
	bool submit(uint32_t &op, Kind kind, uint64_t sector, uint32_t sectors)
	{
		if (stopped)
			return false;
		op = next_op++;
		return put({.sector = sector, .sectors = sectors, .op = op, .status = 0, .kind = kind,
			    .phase = Phase::submit, .pad = {}, .filled = 0});
	}

	void complete(uint32_t op, Kind kind, int status)
	{
		if (!muted)
			put({.sector = 0, .sectors = 0, .op = op, .status = status, .kind = kind,
			     .phase = Phase::complete, .pad = {}, .filled = 0});
	}

	uint64_t taken() const { return history->taken.load(); }

	/* Until @event has been taken, or nudge() is called; may return early. */
	void wait_for(uint64_t event)
	{
		alarm = event;
		if (taken() <= event)
			rung.acquire();
	}

	void nudge() { rung.release(); }

	std::span<const Event> events() const { return {history->slot, std::min(taken(), slots)}; }

	/* Nothing more may be submitted. */
	void stop() { stopped = true; }

	/* Whatever ends from now on says nothing of a disk. */
	void mute() { muted = true; }

	/* Begin a new history. */
	void clear()
	{
		stopped = false;
		muted = false;
		std::memset(static_cast<void *>(history->slot), 0, events().size_bytes());
		history->taken = 0;
		next_op = 0;
	}

private:
	History *history;
	uint64_t slots;
	std::atomic<uint32_t> next_op = 0;
	std::atomic<bool> stopped = false, muted = false;
	std::atomic<uint64_t> alarm = UINT64_MAX;
	std::counting_semaphore<> rung{0};

	bool put(const Event &e)
	{
		uint64_t i = history->taken.fetch_add(1);

		if (i == alarm)
			rung.release();
		if (i >= slots)
			return false;
		Event *to = &history->slot[i];
		to->sector = e.sector;
		to->sectors = e.sectors;
		to->op = e.op;
		to->status = e.status;
		to->kind = e.kind;
		to->phase = e.phase;
		to->filled.store(1, std::memory_order_release);
		return true;
	}
};

/*----------------------------------------------------------------
 * What to do
 *--------------------------------------------------------------*/

constexpr uint32_t MAX_SECTORS = 512;

/* Parts per thousand of each kind; the rest are plain writes. */
struct Mix {
	unsigned fua, flush, discard, zeroes, hot;
};

struct Options {
	const char *device;
	uint32_t generation, seed;
	uint64_t stop_at;	/* cut the simulated disks' power at this event; 0: the host does it */
	uint64_t ops;		/* per thread; 0: no end */
	unsigned threads, depth;
	Mix mix;
	uint64_t hot_sectors;
	uint32_t fixed_sectors;	/* all writes of this size; 0: mixed */
	bool checkpoints;
};

struct Plan {
	Kind kind;
	uint64_t sector;
	uint32_t sectors;
};

class Planner {
public:
	Planner(const Options &o, uint64_t sectors, unsigned thread)
		: o(o), sectors(sectors), random(o.seed * 1000003u + thread)
	{
	}

	Plan next()
	{
		Plan plan = {Kind::write, 0, 0};
		unsigned coin = below(1000);

		for (auto [kind, part] : {std::pair(Kind::fua, o.mix.fua), {Kind::flush, o.mix.flush},
					  {Kind::discard, o.mix.discard}, {Kind::zeroes, o.mix.zeroes}}) {
			if (coin < part) {
				plan.kind = kind;
				break;
			}
			coin -= part;
		}
		if (plan.kind == Kind::flush)
			return plan;
		plan.sectors = size();
		uint64_t room = below(1000) < o.mix.hot ? std::min(o.hot_sectors, sectors) : sectors;
		plan.sectors = static_cast<uint32_t>(std::min<uint64_t>(plan.sectors, room));
		plan.sector = below(static_cast<uint32_t>(room - plan.sectors + 1));
		if (below(2) && plan.sectors % 8 == 0)
			plan.sector &= ~7ull;
		return plan;
	}

private:
	const Options &o;
	uint64_t sectors;
	std::mt19937 random;

	uint32_t below(uint32_t n) { return static_cast<uint32_t>(random() % n); }

	uint32_t size()
	{
		unsigned coin = below(100);

		if (o.fixed_sectors)
			return o.fixed_sectors;
		if (coin < 40)
			return 1 + below(8);
		if (coin < 75)
			return 8;
		if (coin < 95)
			return 1 + below(128);
		return 1 + below(MAX_SECTORS);
	}
};

/*----------------------------------------------------------------
 * Doing it
 *--------------------------------------------------------------*/

/* Asynchronous, because a synchronous write with RWF_DSYNC is followed by a flush, and would not test FUA. */
class Worker {
public:
	Worker(const Options &o, Recorder &recorder) : o(o), recorder(recorder), slots(o.depth)
	{
		if (syscall(SYS_io_setup, o.depth, &context))
			die("io_setup");
		for (Slot &slot : slots)
			if (posix_memalign(&slot.data, 4096, MAX_SECTORS * SECTOR))
				die("memory");
	}

	~Worker()
	{
		syscall(SYS_io_destroy, context);
		for (Slot &slot : slots)
			free(slot.data);
	}
	Worker(const Worker &) = delete;

	/* On a device that is open, as the thread with this number. */
	void run(int device, uint64_t sectors, unsigned thread)
	{
		Planner planner(o, sectors, thread);

		fd = device;
		for (uint64_t n = 0; !o.ops || n < o.ops; n++) {
			Plan plan = planner.next();
			uint32_t op;

			if (plan.kind == Kind::write || plan.kind == Kind::fua) {
				Slot &slot = free_slot();

				if (!recorder.submit(slot.op, plan.kind, plan.sector, plan.sectors))
					return;
				submit(slot, plan);
				continue;
			}
			if (!recorder.submit(op, plan.kind, plan.sector, plan.sectors))
				return;
			recorder.complete(op, plan.kind, now(plan));
		}
		while (busy)
			reap(1);
	}

private:
	struct Slot {
		iocb io = {};
		void *data = nullptr;
		uint32_t op = 0, bytes = 0;
		Kind kind = Kind::none;
		bool used = false;
	};

	const Options &o;
	Recorder &recorder;
	int fd = -1;
	std::vector<Slot> slots;
	unsigned busy = 0;
	aio_context_t context = 0;

	int now(const Plan &plan)
	{
		uint64_t range[2] = {plan.sector * SECTOR, static_cast<uint64_t>(plan.sectors) * SECTOR};
		int r;

		if (plan.kind == Kind::flush)
			r = fsync(fd);
		else
			r = ioctl(fd, plan.kind == Kind::discard ? BLKDISCARD : BLKZEROOUT, range);
		return r ? -errno : 0;
	}

	void submit(Slot &slot, const Plan &plan)
	{
		iocb *list = &slot.io;

		for (uint32_t i = 0; i < plan.sectors; i++)
			fill_sector(static_cast<char *>(slot.data) + i * SECTOR, make_id(o.generation, slot.op),
				    plan.sector + i);
		slot.kind = plan.kind;
		slot.bytes = plan.sectors * SECTOR;
		slot.used = true;
		slot.io = {};
		slot.io.aio_data = reinterpret_cast<uintptr_t>(&slot);
		slot.io.aio_lio_opcode = IOCB_CMD_PWRITE;
		slot.io.aio_fildes = static_cast<uint32_t>(fd);
		slot.io.aio_buf = reinterpret_cast<uintptr_t>(slot.data);
		slot.io.aio_nbytes = slot.bytes;
		slot.io.aio_offset = static_cast<int64_t>(plan.sector * SECTOR);
		if (plan.kind == Kind::fua)
			slot.io.aio_rw_flags = RWF_DSYNC;
		busy++;
		if (syscall(SYS_io_submit, context, 1, &list) != 1)
			end(slot, -errno);
	}

	void end(Slot &slot, int64_t result)
	{
		int status = result == slot.bytes ? 0 : result < 0 ? static_cast<int>(result) : -EIO;

		recorder.complete(slot.op, slot.kind, status);
		slot.used = false;
		busy--;
	}

	void reap(long least)
	{
		io_event events[64];
		long n = syscall(SYS_io_getevents, context, least, 64, events, nullptr);

		for (long i = 0; i < n; i++)
			end(*reinterpret_cast<Slot *>(events[i].data), events[i].res);
	}

	Slot &free_slot()
	{
		reap(busy == slots.size());
		for (Slot &slot : slots)
			if (!slot.used)
				return slot;
		die("no free slot");
	}
};

} /* namespace crash */

#endif

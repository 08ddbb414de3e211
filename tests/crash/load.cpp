// SPDX-License-Identifier: GPL-2.0-only
/*
 * The load: runs in the guest until the power is cut, and records a history (history.h) of all that it does.
 *
 * An operation is in the history before it is submitted. What is written names its operation, so that whatever a
 * sector holds after the cut says where it comes from. Nothing is kept here that a crash could lose.
 */
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/dm-ioctl.h>
#include <linux/fs.h>
#include <mutex>
#include <random>
#include <string>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include "history.h"

using namespace crash;

namespace {

[[noreturn]] void die(const std::string &what)
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
	Recorder(const char *path)
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
		op = next_op++;
		return put({.sector = sector, .sectors = sectors, .op = op, .status = 0, .kind = kind,
			    .phase = Phase::submit, .pad = {}, .filled = 0});
	}

	void complete(uint32_t op, Kind kind, int status)
	{
		put({.sector = 0, .sectors = 0, .op = op, .status = status, .kind = kind, .phase = Phase::complete,
		     .pad = {}, .filled = 0});
	}

	uint64_t taken() const { return history->taken.load(); }

private:
	History *history;
	uint64_t slots;
	std::atomic<uint32_t> next_op = 0;

	bool put(const Event &e)
	{
		uint64_t i = history->taken.fetch_add(1);

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
 * Device mapper
 *--------------------------------------------------------------*/

class Mapper {
public:
	Mapper(std::string name) : name(std::move(name)), fd(open("/dev/mapper/control", O_RDWR))
	{
		if (fd < 0)
			die("/dev/mapper/control");
	}

	bool message(const std::string &text)
	{
		dm_ioctl *c = prepare();
		auto *m = reinterpret_cast<dm_target_msg *>(buffer + sizeof(dm_ioctl));

		m->sector = 0;
		std::strcpy(m->message, text.c_str());
		return !ioctl(fd, DM_TARGET_MSG, c);
	}

	/* What the last call returned. */
	const char *data() const
	{
		return buffer + reinterpret_cast<const dm_ioctl *>(buffer)->data_start;
	}

	/* The target's status line; waits for an event behind number @event first, unless it is -1. */
	bool status(int64_t event, std::string &line, uint32_t &now)
	{
		dm_ioctl *c = prepare();

		if (event >= 0)
			c->event_nr = static_cast<uint32_t>(event);
		if (ioctl(fd, event >= 0 ? DM_DEV_WAIT : DM_TABLE_STATUS, c))
			return false;
		now = c->event_nr;
		line = data() + sizeof(dm_target_spec);
		return true;
	}

private:
	std::string name;
	int fd;
	alignas(8) char buffer[4096];

	dm_ioctl *prepare()
	{
		auto *c = reinterpret_cast<dm_ioctl *>(buffer);

		std::memset(buffer, 0, sizeof(buffer));
		c->version[0] = DM_VERSION_MAJOR;
		c->data_size = sizeof(buffer);
		c->data_start = sizeof(dm_ioctl);
		std::strcpy(c->name, name.c_str());
		return c;
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
	Worker(const Options &o, Recorder &recorder, int fd, uint64_t sectors, unsigned thread)
		: o(o), recorder(recorder), fd(fd), planner(o, sectors, thread), slots(o.depth)
	{
		if (syscall(SYS_io_setup, o.depth, &context))
			die("io_setup");
		for (Slot &slot : slots)
			if (posix_memalign(&slot.data, 4096, MAX_SECTORS * SECTOR))
				die("memory");
	}

	void run()
	{
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
	int fd;
	Planner planner;
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

/* Ask for checkpoints, one after the other. */
void checkpoints(Recorder &recorder)
{
	Mapper vol("vol");

	for (;;) {
		std::string line;
		uint32_t op, event;
		uint64_t target;

		if (!vol.status(-1, line, event) || !recorder.submit(op, Kind::checkpoint, 0, 0))
			return;
		if (!vol.message("checkpoint"))
			return;
		target = std::strtoull(vol.data(), nullptr, 10);
		for (;;) {
			unsigned long long tail;
			char mode[16], home[16], used[64];

			if (!vol.status(event, line, event) ||
			    std::sscanf(line.c_str(), "%15s %15s %63s %llu:", mode, home, used, &tail) != 4)
				return;
			if (tail >= target || !std::strcmp(home, "clean"))
				break;
		}
		recorder.complete(op, Kind::checkpoint, 0);
	}
}

/* Cut the power of all simulated disks at one instant. */
void cut_at(Recorder &recorder, uint64_t event)
{
	Mapper disk("sim-log");
	timespec pause = {0, 200000};
	uint32_t op;

	while (recorder.taken() < event)
		nanosleep(&pause, nullptr);
	recorder.submit(op, Kind::cut, 0, 0);
	if (!disk.message("powercut all"))
		die("powercut");
	std::puts("power off");
	std::fflush(stdout);
}

uint64_t value(const std::string &word, const char *key)
{
	size_t n = std::strlen(key);

	if (word.compare(0, n, key) || word[n] != '=')
		return UINT64_MAX;
	return std::strtoull(word.c_str() + n + 1, nullptr, 0);
}

} /* namespace */

int main(int argc, char **argv)
{
	Options o = {};
	uint64_t bytes;

	if (argc < 3) {
		std::fputs("load DEVICE HISTORY key=number...\n", stderr);
		return 2;
	}
	o.device = argv[1];
	for (int i = 3; i < argc; i++) {
		std::string word = argv[i];
		bool known = false;
		auto take = [&](const char *key, auto &to) {
			uint64_t v = value(word, key);

			if (v != UINT64_MAX) {
				to = static_cast<std::remove_reference_t<decltype(to)>>(v);
				known = true;
			}
		};

		take("generation", o.generation);
		take("seed", o.seed);
		take("cut", o.stop_at);
		take("ops", o.ops);
		take("threads", o.threads);
		take("depth", o.depth);
		take("fua", o.mix.fua);
		take("flush", o.mix.flush);
		take("discard", o.mix.discard);
		take("zeroes", o.mix.zeroes);
		take("hot", o.mix.hot);
		take("hot_sectors", o.hot_sectors);
		take("sectors", o.fixed_sectors);
		take("checkpoints", o.checkpoints);
		if (!known) {
			std::fprintf(stderr, "load: unknown word %s\n", argv[i]);
			return 2;
		}
	}

	Recorder recorder(argv[2]);
	int fd = open(o.device, O_RDWR | O_DIRECT);
	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes))
		die(o.device);

	std::vector<std::thread> threads;
	std::vector<Worker> workers;
	workers.reserve(o.threads);
	for (unsigned i = 0; i < o.threads; i++)
		workers.emplace_back(o, recorder, fd, bytes / SECTOR, i);
	std::puts("load begins");
	std::fflush(stdout);
	for (Worker &w : workers)
		threads.emplace_back(&Worker::run, &w);
	if (o.checkpoints)
		std::thread(checkpoints, std::ref(recorder)).detach();
	if (o.stop_at)
		threads.emplace_back(cut_at, std::ref(recorder), o.stop_at);
	for (std::thread &t : threads)
		t.join();
	std::puts("load ends");
	return 0;
}

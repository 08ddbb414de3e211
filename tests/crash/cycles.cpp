// SPDX-License-Identifier: GPL-2.0-only
/*
 * cycles N SEED: N power cuts in one boot. On simdisks, sim-home, sim-log and sim-intent, it makes a volume, loads it,
 * cuts the power of all disks at a moment that the seed chooses, takes the volume down, gives power back, makes the volume
 * again, which recovers it, and judges by the oracle what home and volume hold. Every so often the recovery is cut, too, or
 * the last record rots first, on disks that are put back.
 *
 * Always true: between two cycles all disks have power and carry nothing; the oracle's state says what may be found
 * there. A chain of cycles shares a volume; each chain formats anew and draws another shape. Half of them are strict,
 * without batches. Some have an intent device, and the home that it has been applied to must be the volume after some
 * record; or they get a table without batches under load, and the home is judged as a strict one. Some are relaxed, and
 * their home must be the volume after some record whenever the checkpoint target does not call it torn.
 */
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <deque>
#include <memory>
#include <sched.h>
#include <sstream>
#include <thread>

#include "mapper.h"
#include "oracle.h"
#include "worker.h"

using namespace crash;

namespace {

constexpr unsigned CHAIN = 25;
constexpr uint64_t SLOTS = 1 << 14;

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start)
{
	return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Shape {
	enum Batches { none, intent, swapped, relaxed };

	unsigned record_kib, unit, words = 14;	/* of the table */
	Batches batches = none;
	std::string table;
	Options load;

	explicit Shape(uint32_t seed)
	{
		/* seeds that lie close together begin alike */
		std::mt19937 r(static_cast<uint32_t>(mix(seed)));
		auto pick = [&](std::initializer_list<unsigned> from) { return from.begin()[r() % from.size()]; };
		unsigned high = pick({20, 50, 80});

		unit = pick({512, 4096});
		record_kib = unit == 512 ? pick({16, 32, 64}) : pick({32, 64});
		table = "staging_mib 1 autocommit_ms " + std::to_string(pick({2, 20, 200})) + " high " + std::to_string(high) +
			" low " + std::to_string(pick({0, high / 2})) + " inflight_kib " + std::to_string(pick({64, 256})) +
			" idle_ms " + std::to_string(pick({0, 5, 50})) + " max_lag_ms " + std::to_string(pick({0, 10}));
		if (r() % 8 == 0) {
			table += " flush home";
			words += 2;
		}
		if (unsigned coin = r() % 20; coin < 10)
			batches = coin < 6 ? intent : coin < 9 ? swapped : relaxed;
		load = {};
		load.threads = pick({1, 2, 3});
		load.depth = pick({1, 4, 8});
		load.mix = {pick({50, 100, 400}), pick({20, 60, 200}), pick({5, 20, 40}), pick({5, 20, 40}), pick({300, 600, 900})};
		load.hot_sectors = pick({64, 512});
		load.ops = 300 / load.threads;
	}

	uint32_t atomic() const { return record_kib * 2 - 2 * unit / SECTOR; }

	const char *name() const
	{
		static const char *const names[] = {"strict", "intent", "intent, swapped", "relaxed"};

		return names[batches];
	}
};

/* What takes the time. */
struct Times {
	double until_cut = 0, load = 0, down = 0, rot = 0, up = 0, judge = 0;
};

/* All of a small device. */
class Disk {
public:
	explicit Disk(const char *path) : fd(open(path, O_RDWR | O_DIRECT | O_CLOEXEC))
	{
		void *at;

		if (fd < 0 || ioctl(fd, BLKGETSIZE64, &bytes) || posix_memalign(&at, 4096, bytes))
			die(path);
		data = static_cast<uint8_t *>(at);
	}
	Disk(const Disk &) = delete;

	void read()
	{
		if (pread(fd, data, bytes, 0) != static_cast<ssize_t>(bytes))
			die("reading a disk");
	}

	void write()
	{
		if (pwrite(fd, data, bytes, 0) != static_cast<ssize_t>(bytes) || fsync(fd))
			die("writing a disk");
	}

	std::vector<uint8_t> copy() const { return {data, data + bytes}; }

	void put_back(const std::vector<uint8_t> &was)
	{
		std::copy(was.begin(), was.end(), data);
		write();
	}

	int fd;
	uint64_t bytes;
	uint8_t *data;
};

class Cycles {
public:
	explicit Cycles(uint32_t seed)
		: seed(seed), random(static_cast<uint32_t>(mix(seed))), sim_home("sim-home"), sim_log("sim-log"),
		  sim_intent("sim-intent"), home("home"), volume("vol"),
		  swapper("vol"), recorder(SLOTS), home_disk("/dev/mapper/sim-home"), log_disk("/dev/mapper/sim-log"),
		  rot_random(seed)
	{
		sectors = home_disk.bytes / SECTOR;
		home_number = number("/dev/mapper/sim-home");
		log_number = number("/dev/mapper/sim-log");
		intent_number = number("/dev/mapper/sim-intent");
	}

	bool run(unsigned n)
	{
		Clock::time_point start = Clock::now();

		for (unsigned i = 0; i < n; i++) {
			if (i % CHAIN == 0)
				begin_chain(i / CHAIN);
			if (!cycle(i))
				return false;
			if ((i + 1) % CHAIN == 0 || i + 1 == n) {
				if (complaints())
					return false;
				std::printf("# cycles=%u cuts=%u recovery-cuts=%u rotted=%u refused=%u events=%lu recovered-late=%lu seconds=%.0f "
					    "(until the cut %.0f, load %.0f, down %.0f, rot %.0f, up %.0f, judge %.0f)\n", i + 1, cuts, recovery_cuts,
					    rotted, refusals, events, behind, since(start), times.until_cut, times.load, times.down, times.rot,
					    times.up, times.judge);
				std::fflush(stdout);
			}
		}
		return true;
	}

private:
	uint32_t seed;
	std::mt19937 random;
	Mapper sim_home, sim_log, sim_intent, home, volume;
	Mapper swapper;		/* the volume's too, for a thread of its own */
	Recorder recorder;
	std::string home_number, log_number, intent_number;
	Disk home_disk, log_disk;
	uint64_t sectors;
	std::mt19937 rot_random;	/* so that what it decides changes nothing else */
	std::unique_ptr<Shape> shape;
	bool in_batches;	/* the volume's table has a batch_mib */
	std::atomic<bool> cutting;	/* from now on the power may be gone */
	State state;
	bool torn = false;	/* a relaxed home, as the checkpoint target said when the power was cut last */
	unsigned cuts = 0, recovery_cuts = 0, rotted = 0, refusals = 0;
	uint64_t events = 0, behind = 0;
	Times times;

	static std::string number(const char *path)
	{
		struct stat st;

		if (stat(path, &st))
			die(path);
		return std::to_string(major(st.st_rdev)) + ":" + std::to_string(minor(st.st_rdev));
	}

	uint32_t below(uint32_t n) { return static_cast<uint32_t>(random() % n); }

	void begin_chain(unsigned number)
	{
		if (number)
			down();
		shape = std::make_unique<Shape>(seed * 1000 + number);
		state = State(sectors);
		torn = false;
		in_batches = shape->batches != Shape::none;
		for (uint64_t s = 0; s < sectors; s++)
			fill_sector(home_disk.data + s * SECTOR, 0, s);
		home_disk.write();
		std::string format = "jbdctl create cycles /dev/mapper/sim-home /dev/mapper/sim-log --no-open --force --record-kib " +
			std::to_string(shape->record_kib) + " --unit " + std::to_string(shape->unit) +
			(has_intent() ? " --intent /dev/mapper/sim-intent" : "") + " > /dev/null";
		if (std::system(format.c_str()))
			die(format);
		if (!home_up() || !volume_up())
			die("the first activation");
		std::printf("# chain %u: record_kib %u unit %u, %s, %s\n", number, shape->record_kib, shape->unit, shape->name(),
			    shape->table.c_str());
	}

	/* What the kernel says that no test may cause. */
	static bool complaints()
	{
		return !std::system("dmesg -c > /tmp/said; grep -q -E -f /vm/bad-lines /tmp/said && "
				    "grep -m 1 -B 3 -A 40 -E -f /vm/bad-lines /tmp/said | sed 's/^/# /'");
	}

	bool has_intent() const { return shape->batches == Shape::intent || shape->batches == Shape::swapped; }

	/* An intent device has been applied when it returns. */
	bool home_up()
	{
		return home.create(sectors, "checkpoint", home_number + (has_intent() ? " 2 intent " + intent_number :
				   shape->batches == Shape::relaxed ? " 2 order relaxed" : ""));
	}

	std::string table(bool batches) const
	{
		const std::string words = batches ? " batch_mib 1" : "";

		return home.number() + " " + log_number + " " + std::to_string(shape->words + (batches ? 2 : 0)) + " " +
		       shape->table + words;
	}

	bool volume_up()
	{
		return volume.create(sectors, "journal", table(in_batches));
	}

	void may_fail(const char *what) const
	{
		if (!cutting)
			die(what);
	}

	/*
	 * Another table under load, with batches or without. When the power is cut meanwhile the new one cannot be resumed, and
	 * what waits for it goes to an error target, which has no flush to fail.
	 */
	void swap_tables()
	{
		if (!swapper.load(sectors, "journal", table(!in_batches)))
			return may_fail("loading a table");
		in_batches = !in_batches;
		if (swapper.resume())
			return;
		may_fail("resuming a table");
		recorder.mute();
		if (!swapper.load(sectors, "error", "") || !swapper.resume())
			die("the error target");
	}

	void down()
	{
		timespec pause = {0, 1000000};

		for (Mapper *m : {&volume, &home})
			while (!m->remove()) {
				if (errno == ENXIO)
					break;
				if (errno != EBUSY)
					die("remove");
				nanosleep(&pause, nullptr);
			}
	}

	void cut()
	{
		if (!sim_log.message("powercut all"))
			die("powercut");
	}

	void restore()
	{
		for (Mapper *m : {&sim_home, &sim_log, &sim_intent})
			if (!m->message("restore"))
				die("restore");
	}

	/* Word @n of a target's status line, counted from 1; "" if there is no such device. */
	static std::string word(Mapper &m, unsigned n)
	{
		std::string line, found;
		uint32_t event;

		if (!m.status(-1, line, event))
			return "";
		std::istringstream words(line);
		while (n--)
			words >> found;
		if (!words)
			die("the status line " + line);
		return found;
	}

	/* Behind a cut: a home that was torn before stays so until a batch has ended. */
	void note_torn()
	{
		if (shape->batches != Shape::relaxed)
			return;
		std::string is = word(home, 14), batches = word(volume, 26);
		torn = is == "torn" || (torn && (batches.empty() || batches == "0"));
	}

	std::vector<Value> read(int fd)
	{
		if (fd < 0 || pread(fd, home_disk.data, home_disk.bytes, 0) != static_cast<ssize_t>(home_disk.bytes))
			die("reading a device");
		return read_image({home_disk.data, home_disk.bytes});
	}

	static void be_first(bool yes)
	{
		sched_param p = {.sched_priority = yes};

		if (sched_setscheduler(0, yes ? SCHED_FIFO : SCHED_OTHER, &p))
			die("sched_setscheduler");
	}

	void load(uint32_t at)
	{
		Clock::time_point start = Clock::now();
		int fd = volume.open_device(O_RDWR);
		std::vector<std::thread> threads;
		std::deque<Worker> workers;
		std::atomic<unsigned> running = shape->load.threads;

		if (fd < 0)
			die("opening the volume");
		recorder.clear();
		cutting = false;
		shape->load.generation = state.generation + 1;
		shape->load.seed = static_cast<uint32_t>(random());
		for (unsigned i = 0; i < shape->load.threads; i++)
			workers.emplace_back(shape->load, recorder);
		for (unsigned i = 0; i < shape->load.threads; i++)
			threads.emplace_back([&, i] {
				workers[i].run(fd, sectors, i);
				running--;
				recorder.nudge();
			});
		uint32_t ask = below(2) ? 1 + below(at) : UINT32_MAX, op;
		uint32_t swap = UINT32_MAX;
		std::thread swapping;

		if (shape->batches == Shape::swapped) {
			swap = 1 + below(at);
			ask = swap + below(at - swap + 1);
		}
		/* whoever cuts goes first, or one processor has long gone on when it wakes */
		be_first(true);
		while (recorder.taken() < at && running) {
			if (recorder.taken() >= ask) {
				volume.message("checkpoint");
				ask = UINT32_MAX;
			}
			if (recorder.taken() >= swap) {
				volume.message("checkpoint");
				swapping = std::thread([&] {
					be_first(false);
					swap_tables();
				});
				swap = UINT32_MAX;
			}
			recorder.wait_for(std::min({ask, swap, at}) - 1);
		}
		/* between the events that the volume's user sees the disks have many more */
		timespec pause = {0, below(2) * below(3000) * 1000};
		nanosleep(&pause, nullptr);
		cutting = true;
		recorder.submit(op, Kind::cut, 0, 0);
		cut();
		recorder.stop();
		be_first(false);
		times.until_cut += since(start);
		cuts++;
		if (swapping.joinable())
			swapping.join();
		for (std::thread &t : threads)
			t.join();
		close(fd);
		note_torn();
	}

	/* Cut the power while the volume is made, or a little later. */
	void cut_recovery()
	{
		timespec pause = {0, below(30) * 1000000};
		std::thread making([&] { (void)(home_up() && volume_up()); });

		nanosleep(&pause, nullptr);
		cut();
		recovery_cuts++;
		making.join();
		note_torn();
		down();
		restore();
	}

	/* The log sector of the last record; 0: there is none. */
	static uint64_t last_record()
	{
		FILE *dump = popen("jbdctl log dump /dev/mapper/sim-log", "r");
		uint64_t seq, epoch, sector, last = 0;
		char line[512];

		if (!dump)
			die("jbdctl");
		while (std::fgets(line, sizeof(line), dump))
			if (std::sscanf(line, "%lu %lu %lu", &seq, &epoch, &sector) == 3)
				last = sector;
		if (pclose(dump))
			die("jbdctl log dump");
		return last;
	}

	/*
	 * As if the last record had rotted, with disks that are put back: it is refused, or the volume is one that
	 * never had that record. Only what ckpt_to says keeps a home from being ahead of such a log.
	 */
	bool rot(unsigned number, uint32_t at)
	{
		uint64_t sector = last_record();
		bool good = true;

		if (!sector)
			return true;
		home_disk.read();
		log_disk.read();
		const std::vector<uint8_t> home_was = home_disk.copy(), log_was = log_disk.copy();
		log_disk.data[sector * SECTOR + 16] ^= 1;
		log_disk.write();
		rotted++;
		if (home_up() && volume_up()) {
			int fd = volume.open_device(O_RDONLY);
			std::vector<Value> on_volume = read(fd);
			close(fd);
			State then = state;
			std::vector<Violation> wrong = judge(then, Run(recorder.events(), state.now), on_volume, {}, shape->atomic()).violations;
			std::erase_if(wrong, [](const Violation &v) { return v.rule == "P1 durable"; });
			good = wrong.empty() || tell(number, at, wrong);
		} else {
			refusals++;
		}
		down();
		home_disk.put_back(home_was);
		log_disk.put_back(log_was);
		return good;
	}

	bool cycle(unsigned number)
	{
		Clock::time_point start = Clock::now();
		uint32_t at = static_cast<uint32_t>(5 * std::pow(40, (random() % 1000) / 1000.0));

		load(at);
		times.load += since(start);
		start = Clock::now();
		down();
		restore();
		if (below(8) == 0)
			cut_recovery();
		times.down += since(start);
		start = Clock::now();
		if (shape->batches == Shape::none && rot_random() % 4 == 0 && !rot(number, at))
			return false;
		times.rot += since(start);
		start = Clock::now();
		if (!home_up())
			return refused(number, at, "to make the checkpoint device");
		times.up += since(start);
		start = Clock::now();
		std::vector<Value> at_home;
		if (!torn)
			at_home = read(home_disk.fd);
		times.judge += since(start);
		start = Clock::now();
		if (!volume_up())
			return refused(number, at, "to recover");
		times.up += since(start);
		start = Clock::now();
		int fd = volume.open_device(O_RDONLY);
		std::vector<Value> on_volume = read(fd);
		close(fd);
		Run run(recorder.events(), state.now);
		events += recorder.events().size();
		Verdict v = judge(state, run, on_volume, at_home, shape->atomic(),
				  shape->batches == Shape::intent || shape->batches == Shape::relaxed ? Home::record : Home::epochs);
		behind += v.behind;
		times.judge += since(start);
		return v.ok() || tell(number, at, v.violations);
	}

	bool refused(unsigned number, uint32_t at, const std::string &what)
	{
		return tell(number, at, {{"refused", "the kernel refuses " + what + ": " + std::strerror(errno)}});
	}

	bool tell(unsigned number, uint32_t at, const std::vector<Violation> &violations)
	{
		std::printf("# cycle %u (chain %u of seed %u), cut at event %u: %s, %s\n", number, number / CHAIN, seed, at,
			    shape->name(), shape->table.c_str());
		for (const Violation &v : violations)
			std::printf("# %s: %s\n", v.rule.c_str(), v.text.c_str());
		std::fflush(stdout);
		(void)!std::system("dmesg | grep device-mapper | tail -n 12 | sed 's/^/# /'; "
				   "jbdctl log dump /dev/mapper/sim-log --extents 2>&1 | sed 's/^/# /'; "
				   /* the device itself: base64 -d | gunzip */
				   "dd if=/dev/mapper/sim-log bs=64K 2> /dev/null | gzip | base64 | sed 's/^/# log: /'");
		return false;
	}
};

} /* namespace */

int main(int argc, char **argv)
{
	if (argc != 3) {
		std::fputs("cycles N SEED\n", stderr);
		return 2;
	}
	unsigned n = static_cast<unsigned>(std::strtoul(argv[1], nullptr, 10));
	Cycles cycles(static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10)));

	return cycles.run(n) ? 0 : 1;
}

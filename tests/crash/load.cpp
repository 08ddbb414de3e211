// SPDX-License-Identifier: GPL-2.0-only
/*
 * The load: runs in the guest until the power is cut, and records a history (history.h) of all that it does.
 *
 * An operation is in the history before it is submitted. What is written names its operation, so that whatever a
 * sector holds after the cut says where it comes from. Nothing is kept here that a crash could lose.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <fcntl.h>
#include <string>
#include <thread>
#include <vector>

#include "mapper.h"
#include "worker.h"

using namespace crash;

namespace {

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
	std::deque<Worker> workers;
	for (unsigned i = 0; i < o.threads; i++)
		workers.emplace_back(o, recorder);
	std::puts("load begins");
	std::fflush(stdout);
	for (unsigned i = 0; i < o.threads; i++)
		threads.emplace_back(&Worker::run, &workers[i], fd, bytes / SECTOR, i);
	if (o.checkpoints)
		std::thread(checkpoints, std::ref(recorder)).detach();
	if (o.stop_at)
		threads.emplace_back(cut_at, std::ref(recorder), o.stop_at);
	for (std::thread &t : threads)
		t.join();
	std::puts("load ends");
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace TAPE [seed=N] [most=N] [share=N] [samples=N into=DIR] [without=home-flush|log-fua]
 *
 * Judges a recorded run, and prints what it looked at. With samples it writes states for the kernel: DIR/states, log and
 * home of one behind those of the other, and DIR/list with a line "LOG-BYTE LOG-SECTORS HOME-BYTE HOME-SECTORS TIME" and
 * a file DIR/volume, the volumes that must come out. Without something, the tape is judged as if that had never been
 * recorded, so that the judge is seen to find it. Exit status: 0 no violation, 1 violations, 2 cannot judge.
 */
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <memory>
#include <stdexcept>
#include <unistd.h>

#include "crash.h"
#include "prefix.h"

using namespace trace;

namespace {

class File {
public:
	explicit File(const std::string &path) : fd(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644))
	{
		if (fd < 0)
			throw std::runtime_error(path + ": cannot be made");
	}
	~File() { close(fd); }
	File(const File &) = delete;

	/* Sectors one after the other; zeroes stay holes. */
	void add(const uint8_t *sector)
	{
		static const uint8_t zero[SECTOR] = {};

		if (std::memcmp(sector, zero, SECTOR) && pwrite(fd, sector, SECTOR, at) != SECTOR)
			throw std::runtime_error("cannot write a sample");
		at += SECTOR;
	}
	void add_text(const std::string &text)
	{
		if (write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
			throw std::runtime_error("cannot write a sample");
	}
	/* The length becomes a multiple of 1 MiB. */
	void round()
	{
		at = (at + (1 << 20) - 1) >> 20 << 20;
		if (ftruncate(fd, at))
			throw std::runtime_error("cannot write a sample");
	}

	off_t at = 0;

private:
	int fd;
};

class Samples {
public:
	explicit Samples(const std::string &dir) : states(dir + "/states"), volume(dir + "/volume"), list(dir + "/list") {}

	void take(const Sample &sample)
	{
		off_t log_at = states.at, home_at;
		uint8_t data[SECTOR];

		for (uint64_t s = 0; s < sample.log.sectors(); s++) {
			sample.log.read(s, data, 1);
			states.add(data);
		}
		states.round();
		home_at = states.at;
		for (uint64_t s = 0; s < sample.home.sectors(); s++) {
			sample.home.read(s, data, 1);
			states.add(data);
			sample.volume(s, data);
			volume.add(data);
		}
		states.round();
		volume.round();
		list.add_text(std::to_string(log_at) + " " + std::to_string(sample.log.sectors()) + " " + std::to_string(home_at) +
			      " " + std::to_string(sample.home.sectors()) + " " + std::to_string(sample.time) + "\n");
		count++;
	}

	unsigned count = 0;

private:
	File states, volume, list;
};

/* Forget what the judge is to miss. */
void take_away(Tape &tape, const std::string &what)
{
	if (what != "home-flush" && what != "log-fua")
		throw std::runtime_error("nothing is called " + what);
	for (Op &op : tape.ops) {
		if (op.sub <= tape.begin)
			continue;
		if (what == "log-fua" && op.device == LOG && op.sectors != 8)
			op.fua = false;
	}
	if (what == "home-flush")
		std::erase_if(tape.ops, [](const Op &op) { return op.device == HOME && op.kind == Kind::flush; });
}

int judge(const std::string &path, const Options &options, const std::string &into, const std::string &without)
{
	auto start = std::chrono::steady_clock::now();
	Tape tape(path);
	Report report;

	if (!without.empty())
		take_away(tape, without);
	History history(tape, tape.home_sectors);
	Log log(tape, tape.log_sectors);
	for (const std::string &text : log.strange)
		report.violate("strange", text);
	judge_prefixes(history, log, report);

	std::unique_ptr<Samples> samples;
	if (options.samples)
		samples = std::make_unique<Samples>(into);
	Crash crash(tape, history, log, report, options, [&](const Sample &sample) { samples->take(sample); });
	crash.run();

	uint64_t changed = 0;
	for (const Op &op : tape.ops)
		changed += op.changed;
	double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
	uint64_t laps = log.records.back().head.pos.v / log.geo.area_len;
	const Counts &c = crash.counts;
	std::printf("events=%lu records=%zu laps=%lu points=%lu states=%lu distinct=%lu scans=%lu changed=%lu samples=%u seconds=%.1f "
		    "rate=%.0f violations=%lu\n", c.events, log.records.size() - 1, laps, c.points, c.states, c.distinct, c.scans,
		    changed, samples ? samples->count : 0, seconds, static_cast<double>(c.states) / seconds, report.violations());
	if (report.violations())
		std::printf("# violated: %s\n", report.summary().c_str());
	return report.violations() ? 1 : 0;
}

} /* namespace */

int main(int argc, char **argv)
{
	std::string into = ".", without;
	Options options;

	try {
		if (argc < 2)
			throw std::runtime_error("trace TAPE [key=value]...");
		for (int i = 2; i < argc; i++) {
			std::string word = argv[i], key = word.substr(0, word.find('=')), value = word.substr(key.size() + 1);
			unsigned *number = key == "seed" ? &options.seed : key == "most" ? &options.most : key == "share" ?
				&options.share : key == "samples" ? &options.samples : nullptr;

			if (key == "into")
				into = value;
			else if (key == "without")
				without = value;
			else if (number)
				*number = static_cast<unsigned>(std::stoul(value));
			else
				throw std::runtime_error("unknown word " + word);
		}
		return judge(argv[1], options, into, without);
	} catch (const std::exception &e) {
		std::fprintf(stderr, "trace: %s\n", e.what());
		return 2;
	}
}

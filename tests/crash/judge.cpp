// SPDX-License-Identifier: GPL-2.0-only
/*
 * The oracle's command line. It reads files and writes the two that it is asked for; a crash leaves them unfinished.
 */
#include <cstdio>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

#include "oracle.h"

using namespace crash;

static const char usage[] =
	"oracle start IMAGE STATE                         fill IMAGE with initial contents; STATE says so\n"
	"oracle judge STATE HISTORY HOME VOLUME|- ATOMIC [NEW-STATE]\n"
	"    Judge the images found after the cut that ended HISTORY. ATOMIC: sectors that are never torn.\n"
	"    Exit status: 0 all rules hold, 1 one is violated, 2 cannot judge.\n";

static std::vector<uint8_t> read_file(const std::string &path)
{
	std::ifstream in(path, std::ios::binary | std::ios::ate);

	in.exceptions(std::ios::failbit | std::ios::badbit);
	std::vector<uint8_t> data(static_cast<size_t>(in.tellg()));
	in.seekg(0);
	in.read(reinterpret_cast<char *>(data.data()), static_cast<std::streamsize>(data.size()));
	return data;
}

static int start(const std::string &image, const std::string &state)
{
	std::fstream out(image, std::ios::binary | std::ios::in | std::ios::out | std::ios::ate);

	out.exceptions(std::ios::failbit | std::ios::badbit);
	uint64_t sectors = static_cast<uint64_t>(out.tellp()) / SECTOR;
	out.seekp(0);
	for (uint64_t s = 0; s < sectors; s++) {
		char data[SECTOR];

		fill_sector(data, 0, s);
		out.write(data, SECTOR);
	}
	out.close();
	State(sectors).save(state);
	return 0;
}

static int judge_files(const std::vector<std::string> &word)
{
	State state = State::load(word[0]);
	std::vector<uint8_t> data = read_file(word[1]);
	const History *history = reinterpret_cast<const History *>(data.data());
	uint64_t slots = std::min<uint64_t>(history->taken, slots_in(data.size()));
	Run run({history->slot, slots}, state.now);
	std::vector<Value> home = read_image(read_file(word[2])), volume;

	if (word[3] != "-")
		volume = read_image(read_file(word[3]));
	if (home.size() != state.past.size() || (!volume.empty() && volume.size() != home.size()))
		throw std::runtime_error("an image is not as long as the state says");
	Verdict v = judge(state, run, volume, home, static_cast<uint32_t>(std::stoul(word[4])));
	for (const Violation &x : v.violations)
		std::printf("%s: %s\n", x.rule.c_str(), x.text.c_str());
	if (word.size() > 5)
		state.save(word[5]);

	uint64_t count[8] = {};
	for (const Op &op : run.ops)
		count[static_cast<int>(op.kind)]++;
	std::printf("writes=%lu fua=%lu flushes=%lu discards=%lu zeroes=%lu checkpoints=%lu sectors=%lu behind=%lu\n",
		    count[static_cast<int>(Kind::write)], count[static_cast<int>(Kind::fua)],
		    count[static_cast<int>(Kind::flush)], count[static_cast<int>(Kind::discard)],
		    count[static_cast<int>(Kind::zeroes)], count[static_cast<int>(Kind::checkpoint)], v.changed,
		    v.behind);
	return v.ok() ? 0 : 1;
}

int main(int argc, char **argv)
{
	std::vector<std::string> word(argv + 1, argv + argc);

	try {
		if (word.size() == 3 && word[0] == "start")
			return start(word[1], word[2]);
		if ((word.size() == 6 || word.size() == 7) && word[0] == "judge")
			return judge_files({word.begin() + 1, word.end()});
		std::fputs(usage, stderr);
	} catch (const std::exception &e) {
		std::fprintf(stderr, "oracle: %s\n", e.what());
	}
	return 2;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * ledger load DIR SEED WARM CUT: a load that shows what of it is missing. One thread delivers letters, one file for each
 * number from 1 on, and prints a number only when the letter and its name are durable: written under another name, fsync,
 * renamed, fsync of the directory. The first WARM letters have 1 MiB each, so that a cache is in the state in which it
 * works for most of its life, and behind them "warm" is printed; the others are small. From then on another thread makes,
 * changes, renames and removes files without end, and sometimes asks for fsync. "cut" is printed behind letter CUT; the
 * load goes on until something fails.
 *
 * ledger audit DIR SEED WARM: what is there: "there=N damaged=N prefix=yes|no", the letters with the right contents, those
 * with others or unreadable, and whether the right ones are 1 to N and no other has a name.
 *
 * Always true: what is in a letter follows from the seed and its number, so that nothing of an older run passes for it.
 */
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <random>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

constexpr unsigned FILES = 48, DIRS = 6;
constexpr size_t WARM_BYTES = 1 << 20;

std::atomic<bool> failed;

std::vector<char> contents(uint64_t seed, uint64_t id, uint64_t warm)
{
	std::mt19937_64 r(seed * 1000003 + id);
	std::vector<char> data(id <= warm ? WARM_BYTES : 1000 + r() % 32000);
	uint64_t word = r();

	for (size_t i = 0; i < data.size(); i += 8) {
		word = word * 6364136223846793005 + 1442695040888963407;
		std::memcpy(&data[i], &word, std::min<size_t>(8, data.size() - i));
	}
	return data;
}

bool write_file(const std::string &path, int flags, const std::vector<char> &data, bool durable)
{
	int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);

	if (fd < 0)
		return false;
	bool ok = write(fd, data.data(), data.size()) == static_cast<ssize_t>(data.size()) && (!durable || !fsync(fd));
	return !close(fd) && ok;
}

/* Errors of the paths are expected, since names are drawn; an error of the disk ends it. */
void churn(const std::string &dir, uint64_t seed)
{
	std::mt19937_64 r(seed);
	auto name = [&] {
		return dir + "/d" + std::to_string(r() % DIRS) + "/f" + std::to_string(r() % FILES);
	};
	std::vector<char> data;

	for (unsigned i = 0; i < DIRS; i++)
		mkdir((dir + "/d" + std::to_string(i)).c_str(), 0755);
	while (!failed) {
		bool ok = true;

		errno = 0;
		switch (r() % 8) {
		case 0: case 1: case 2:
			data.assign(1 + r() % 100000, static_cast<char>(r()));
			ok = write_file(name(), r() % 2 ? O_TRUNC : 0, data, r() % 4 == 0);
			break;
		case 3: case 4:
			data.assign(1 + r() % 20000, static_cast<char>(r()));
			ok = write_file(name(), O_APPEND, data, false);
			break;
		case 5:
			ok = !rename(name().c_str(), name().c_str());
			break;
		case 6:
			ok = !unlink(name().c_str());
			break;
		case 7:
			ok = !truncate(name().c_str(), static_cast<off_t>(r() % 200000));
		}
		if (!ok && errno != ENOENT && errno != ENOSPC)
			failed = true;
		timespec pause = {0, 2000000};
		nanosleep(&pause, nullptr);
	}
}

int load(const std::string &dir, uint64_t seed, uint64_t warm, uint64_t cut)
{
	int letters = open((dir + "/letters").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	std::string next = dir + "/letters/next";
	std::thread other;

	for (uint64_t id = 1; !failed; id++) {
		if (!write_file(next, O_TRUNC, contents(seed, id, warm), true) ||
		    rename(next.c_str(), (dir + "/letters/" + std::to_string(id)).c_str()) || fsync(letters)) {
			failed = true;
			break;
		}
		std::printf("%lu\n%s", id, id == warm ? "warm\n" : id == cut ? "cut\n" : "");
		std::fflush(stdout);
		if (id == warm)
			other = std::thread(churn, dir + "/churn", seed);
	}
	if (other.joinable())
		other.join();
	close(letters);
	return 0;
}

bool right(const std::string &path, const std::vector<char> &expected)
{
	std::vector<char> data(expected.size() + 1);
	int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	ssize_t n = read(fd, data.data(), data.size());
	close(fd);
	return n == static_cast<ssize_t>(expected.size()) && !std::memcmp(data.data(), expected.data(), expected.size());
}

int audit(const std::string &dir, uint64_t seed, uint64_t warm)
{
	DIR *letters = opendir((dir + "/letters").c_str());
	uint64_t there = 0, damaged = 0, last = 0;

	if (!letters) {
		std::perror("ledger: letters");
		return 1;
	}
	errno = 0;
	while (dirent *entry = readdir(letters)) {
		uint64_t id = std::strtoull(entry->d_name, nullptr, 10);

		if (!id)
			continue;
		last = std::max(last, id);
		if (right(dir + "/letters/" + entry->d_name, contents(seed, id, warm)))
			there++;
		else
			damaged++;
	}
	bool listed = !errno;
	closedir(letters);
	std::printf("there=%lu damaged=%lu prefix=%s\n", there, damaged, listed && !damaged && last == there ? "yes" : "no");
	return 0;
}

} /* namespace */

int main(int argc, char **argv)
{
	std::string verb = argc > 1 ? argv[1] : "";
	uint64_t number[3] = {};

	for (int i = 3; i < argc && i < 6; i++)
		number[i - 3] = std::strtoull(argv[i], nullptr, 10);
	if (verb == "load" && argc == 6)
		return load(argv[2], number[0], number[1], number[2]);
	if (verb == "audit" && argc == 5)
		return audit(argv[2], number[0], number[1]);
	std::fputs("ledger load DIR SEED WARM CUT | audit DIR SEED WARM\n", stderr);
	return 2;
}

// SPDX-License-Identifier: GPL-2.0-only
/*
 * fsops DIR SEED OPS: a file system under a load of all kinds, drawn by a seed: files and directories are made, written,
 * appended to, cut, renamed, linked and removed, and a part of it is synced. An operation that finds nothing to work on
 * fails, as it may; running out of space is no failure. It keeps nothing but what the file system holds.
 */
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <random>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace {

constexpr unsigned DIRS = 4, FILES = 32, MAX_BYTES = 48 << 10;

class Load {
public:
	Load(std::string top, unsigned seed) : top(std::move(top)), random(seed), data(MAX_BYTES)
	{
		for (unsigned i = 0; i < DIRS; i++)
			mkdir(dir(i).c_str(), 0755);
		for (char &c : data)
			c = static_cast<char>(random());
	}

	void step()
	{
		unsigned coin = below(100);

		if (coin < 35)
			write_some(0);
		else if (coin < 50)
			write_some(O_APPEND);
		else if (coin < 55)
			write_some(O_DSYNC);
		else if (coin < 62)
			(void)!truncate(file().c_str(), below(MAX_BYTES));
		else if (coin < 70)
			(void)!rename(file().c_str(), file().c_str());
		else if (coin < 74)
			(void)!link(file().c_str(), file().c_str());
		else if (coin < 84)
			unlink(file().c_str());
		else if (coin < 87)
			mkdir((dir(below(DIRS)) + "/d" + std::to_string(below(8))).c_str(), 0755);
		else if (coin < 89)
			rmdir((dir(below(DIRS)) + "/d" + std::to_string(below(8))).c_str());
		else if (coin < 97)
			sync_one(file(), fsync);
		else if (coin < 99)
			sync_one(dir(below(DIRS)), fsync);
		else
			sync_one(file(), fdatasync);
	}

private:
	std::string top;
	std::mt19937 random;
	std::vector<char> data;

	unsigned below(unsigned n) { return static_cast<unsigned>(random() % n); }
	std::string dir(unsigned i) const { return top + "/dir" + std::to_string(i); }
	std::string file() { return dir(below(DIRS)) + "/f" + std::to_string(below(FILES)); }

	void write_some(int flags)
	{
		int fd = open(file().c_str(), O_CREAT | O_WRONLY | flags, 0644);
		unsigned bytes = 1 + below(below(4) ? 6000 : MAX_BYTES);

		if (fd < 0)
			return;
		data[below(bytes)] = static_cast<char>(random());
		(void)!pwrite(fd, data.data(), bytes, below(MAX_BYTES));
		if (!below(3))
			fdatasync(fd);
		close(fd);
	}

	static void sync_one(const std::string &path, int (*how)(int))
	{
		int fd = open(path.c_str(), O_RDONLY);

		if (fd >= 0) {
			how(fd);
			close(fd);
		}
	}
};

} /* namespace */

int main(int argc, char **argv)
{
	if (argc != 4) {
		std::fputs("fsops DIR SEED OPS\n", stderr);
		return 2;
	}
	Load load(argv[1], static_cast<unsigned>(std::strtoul(argv[2], nullptr, 10)));

	for (unsigned long n = std::strtoul(argv[3], nullptr, 10); n; n--)
		load.step();
	return 0;
}

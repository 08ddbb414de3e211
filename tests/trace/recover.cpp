// SPDX-License-Identifier: GPL-2.0-only
/*
 * recover LIST STATES VOLUME: lets the kernel recover each crash state of LIST, whose log and home lie on the disk STATES,
 * and compares the volume that comes out with the one on the disk VOLUME, bit for bit; then once more, because a
 * recovery of what was recovered must give the same (I4, I5). Both disks are the host's scratch files.
 *
 * Always true: between two states no device is left.
 */
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "../crash/mapper.h"

using namespace crash;

namespace {

constexpr uint64_t SECTOR = 512;

struct State {
	uint64_t log_at, log_sectors, home_at, home_sectors, time;
};

struct Buffer {
	explicit Buffer(uint64_t bytes) : bytes(bytes)
	{
		if (posix_memalign(&data, 4096, bytes))
			throw std::runtime_error("no memory");
	}
	~Buffer() { free(data); }
	Buffer(const Buffer &) = delete;

	void read(int fd, uint64_t at)
	{
		for (uint64_t done = 0; done < bytes;) {
			ssize_t n = pread(fd, static_cast<char *>(data) + done, bytes - done, static_cast<off_t>(at + done));

			if (n <= 0)
				throw std::runtime_error("cannot read: " + std::string(std::strerror(errno)));
			done += static_cast<uint64_t>(n);
		}
	}

	void *data;
	uint64_t bytes;
};

class Recoverer {
public:
	Recoverer(const char *states, const char *volumes)
		: log("state-log"), disk("state-home"), home("home"), volume("vol"), volumes_fd(open(volumes, O_RDONLY | O_DIRECT))
	{
		struct stat st;

		if (volumes_fd < 0 || stat(states, &st))
			throw std::runtime_error("no states");
		states_number = std::to_string(major(st.st_rdev)) + ":" + std::to_string(minor(st.st_rdev));
	}

	/* Empty, or what is wrong. */
	std::string check(const State &s)
	{
		Buffer expected(s.home_sectors * SECTOR);
		std::string wrong;

		expected.read(volumes_fd, volumes_at);
		volumes_at += (expected.bytes + (1 << 20) - 1) >> 20 << 20;
		if (!log.create(s.log_sectors, "linear", states_number + " " + std::to_string(s.log_at / SECTOR)) ||
		    !disk.create(s.home_sectors, "linear", states_number + " " + std::to_string(s.home_at / SECTOR)))
			throw std::runtime_error("cannot make a linear device: " + std::string(std::strerror(errno)));
		wrong = once(s, expected);
		if (wrong.empty()) {
			wrong = once(s, expected);
			if (!wrong.empty())
				wrong = "recovered again: " + wrong;
		}
		remove(disk);
		remove(log);
		return wrong;
	}

private:
	Mapper log, disk, home, volume;
	int volumes_fd;
	uint64_t volumes_at = 0;
	std::string states_number;

	static void remove(Mapper &m)
	{
		timespec pause = {0, 1000000};

		while (!m.remove() && errno == EBUSY)
			nanosleep(&pause, nullptr);
	}

	std::string once(const State &s, const Buffer &expected)
	{
		std::string wrong;

		if (!home.create(s.home_sectors, "checkpoint", disk.number()))
			throw std::runtime_error("cannot make the checkpoint device");
		if (volume.create(s.home_sectors, "journal", home.number() + " " + log.number() + " 4 staging_mib 1 idle_ms 0")) {
			wrong = compare(expected);
			remove(volume);
		} else {
			wrong = "the kernel refuses it: " + std::string(std::strerror(errno));
		}
		remove(home);
		return wrong;
	}

	std::string compare(const Buffer &expected)
	{
		Buffer found(expected.bytes);
		int fd = volume.open_device(O_RDONLY);
		std::string wrong;

		found.read(fd, 0);
		close(fd);
		for (uint64_t at = 0; at < found.bytes; at += SECTOR)
			if (std::memcmp(static_cast<char *>(found.data) + at, static_cast<char *>(expected.data) + at, SECTOR)) {
				wrong = "sector " + std::to_string(at / SECTOR) + " of the volume is not what the records give";
				break;
			}
		return wrong;
	}
};

} /* namespace */

int main(int argc, char **argv)
{
	unsigned good = 0, bad = 0;

	if (argc != 4) {
		std::fputs("recover LIST STATES VOLUME\n", stderr);
		return 2;
	}
	try {
		Recoverer recoverer(argv[2], argv[3]);
		std::ifstream list(argv[1]);
		State s;

		while (list >> s.log_at >> s.log_sectors >> s.home_at >> s.home_sectors >> s.time) {
			std::string wrong = recoverer.check(s);

			if (!wrong.empty())
				std::printf("# state %u, crash at %lu: %s\n", good + bad, s.time, wrong.c_str());
			++(wrong.empty() ? good : bad);
		}
	} catch (const std::exception &e) {
		std::printf("# recover: %s\n", e.what());
		bad++;
	}
	std::printf("recovered %u states, %u wrong\n", good, bad);
	return bad || !good;
}

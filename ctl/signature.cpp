// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: only reads. Crashes leave nothing here.
#include "signature.h"

#include <blkid.h>
#include <fcntl.h>

#include <fmt/core.h>

#include <memory>

namespace jbd {

struct FreeProbe {
	void operator()(blkid_probe probe) const { blkid_free_probe(probe); }
};

static std::string value(blkid_probe probe, const char *name)
{
	const char *data = nullptr;

	if (blkid_probe_lookup_value(probe, name, &data, nullptr) || !data)
		return {};
	return data;
}

static std::string kind(const std::string &usage)
{
	if (usage == "filesystem")
		return "file system";
	if (usage == "raid")
		return "RAID or volume group member";
	if (usage == "crypto")
		return "encrypted volume";
	return usage == "other" ? "signature" : usage;
}

Result<std::string> find_signature(const Device &device)
{
	const std::unique_ptr<std::remove_pointer_t<blkid_probe>, FreeProbe> probe(blkid_new_probe());
	const Fd fd(open(device.path().c_str(), O_RDONLY | O_CLOEXEC));	/* libblkid's reads are not aligned */
	blkid_probe p = probe.get();

	if (!p || !fd || blkid_probe_set_device(p, fd.get(), 0, 0) ||
	    blkid_probe_enable_superblocks(p, 1) ||
	    blkid_probe_set_superblocks_flags(p, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE | BLKID_SUBLKS_LABEL) ||
	    blkid_probe_enable_partitions(p, 1))
		return Error{Exit::io, fmt::format("{}: cannot be probed for signatures", device.path()), {}};

	const int found = blkid_do_safeprobe(p);
	if (found == -2)
		return std::string("signatures of more than one kind");
	if (found < 0)
		return Error{Exit::io, fmt::format("{}: cannot be read to look for signatures", device.path()),
			     "See the kernel log (dmesg) for what the device says."};
	if (found == 1)
		return std::string();
	const std::string type = value(p, "TYPE"), label = value(p, "LABEL"), table = value(p, "PTTYPE");
	if (type.empty())
		return fmt::format("a partition table ({})", table.empty() ? "unknown" : table);
	return fmt::format("a {} {}{}", type, kind(value(p, "USAGE")),
			   label.empty() ? "" : fmt::format(" labelled '{}'", label));
}

} // namespace jbd

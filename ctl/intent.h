// SPDX-License-Identifier: GPL-2.0-only
//
// An intent device seen from userspace: its two superblock slots, and the batch that
// a crash left, which is applied to the home as the kernel's recovery does.
//
// Always true: a batch is handed out by read() only, when every descriptor and all
// payload have proved to be right; when retire() returns both superblock slots say
// durably that the batch is at home, whichever of them is lost one day.
//
// What a crash leaves: one of the two superblocks whole, with the new batch or the one
// before; in apply() any part of the batch at home, and the batch as it was.
#ifndef JBDCTL_INTENT_H
#define JBDCTL_INTENT_H

#include <optional>
#include <string>
#include <vector>

#include "blockdev.h"
#include "core.h"
#include "progress.h"

namespace jbd {

struct IntentSlot {
	isuper_verdict verdict;
	isuper super;		// if the checksum holds
};

struct Batch {
	icommit commit;
	std::vector<iextent> extents;
	std::uint64_t emptied_sectors;

	std::string text() const;	// "batch 7 (3 extents, 16 KiB of data)"
};

class Intent {
public:
	// @device is the caller's, and lives longer.
	explicit Intent(const Device &device);

	const Device &device() const { return device_; }
	const std::string &path() const { return device_.path(); }
	const IntentSlot &slot(unsigned i) const { return slots_[i]; }

	// One of the slots has the magic of an intent device.
	bool is_intent() const;
	// The slot to go by; else the reason, and what to do.
	Result<isuper> super() const;

	// Error if it has features that this version must not write beside.
	Result<> writable(const isuper &super) const;
	// Both slots are valid, and retire the same batch.
	bool agree() const;
	// @batch is at home, and never applied again; @super as super() gave it.
	Result<> retire(isuper super, std::uint64_t batch);
	// It is no intent device any more. The newest superblock goes last.
	Result<> wipe() const;

	// The commit block in batch slot @slot; nothing: none that is valid.
	Result<std::optional<icommit>> commit(const isuper &super, unsigned slot) const;
	// The newest batch, if it is not retired: the home may lack it.
	Result<std::optional<icommit>> pending(const isuper &super) const;
	// Error with Exit::damage if they are not what was committed.
	Result<std::vector<iextent>> descriptors(const isuper &super, const icommit &commit) const;
	Result<Batch> read(const isuper &super, const icommit &commit, Progress &progress) const;

	// All of @batch is durable at @home when it returns.
	Result<> apply(const isuper &super, const Batch &batch, const Device &home, Progress &progress) const;

private:
	Error damage(const icommit &commit, const std::string &what) const;
	Result<> check_payload(const isuper &super, const icommit &commit, const iextent &extent, std::uint64_t at) const;

	const Device &device_;
	IntentSlot slots_[IFMT_SUPER_SLOTS];
	Buffer buffer_;
};

} // namespace jbd

#endif

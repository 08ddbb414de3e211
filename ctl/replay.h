// SPDX-License-Identifier: GPL-2.0-only
//
// Records of a log, written to where they belong.
//
// Always true: batches go to the target in log order, each with newest version of
// every sector, and one starts when its predecessor is durable. A batch is an epoch;
// only the first one may be more, because it reaches what an interrupted checkpoint
// had begun, and so is a larger one cut that memory cannot index.
//
// What a crash leaves, if a log is kept (not for a copy): the target has every batch
// whose end the log's superblock calls the tail, and any part of the one up to
// "checkpoint to". Replaying again, here or in the kernel, goes on from there.
#ifndef JBDCTL_REPLAY_H
#define JBDCTL_REPLAY_H

#include <memory>

#include "verify.h"

namespace jbd {

struct DestroyIndex {
	void operator()(struct jindex *index) const { jindex_destroy(index); }
};

class Replay {
public:
	// @keep: the log whose superblock follows; null: the target is only a copy.
	Replay(const Log &from, Log *keep, const Device &target, const jsuper &super, const Verdict &verdict,
	       Progress &progress);

	// Up to the last good record; then the log is empty, and knows that it is.
	Result<> run();

private:
	bool record(const jrecord &next);
	bool extent(const jextent &extent);
	bool fail(const Error &error);
	Result<> write_batch();
	Result<> write_run(const jmap &run);
	Result<> write_data(const jmap &run);
	Result<> flush_data();
	Result<> write_final();

	const Log &from_;
	Log *keep_;
	const Device &target_;
	jsuper super_;
	const Verdict &verdict_;
	Progress &progress_;
	std::unique_ptr<struct jindex, DestroyIndex> index_;
	std::optional<Error> error_;

	// the batch
	bool started_ = false;
	std::uint64_t epoch_ = 0, last_seq_ = 0;
	std::uint32_t last_crc_ = 0;
	struct jpos end_;

	// neighbouring data on its way to the target
	Buffer data_;
	std::uint64_t data_home_ = 0, data_sectors_ = 0, written_ = 0;
};

} // namespace jbd

#endif

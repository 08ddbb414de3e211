// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: nothing is written that verify() has not found good. Crashes leave
// what replay.h says.
#include "replay.h"

#include <fmt/core.h>

#include <algorithm>

#include "signals.h"

namespace jbd {

namespace {

constexpr std::uint64_t index_cap = 1ull << 30;		/* bytes */
constexpr std::uint64_t data_most = 2048;		/* sectors in one write */
constexpr std::uint64_t sequence_jump = 1ull << 32;	/* more than may have been in flight, seen or not */

} // namespace

Replay::Replay(const Log &from, Log *keep, const Device &target, const jsuper &super, const Verdict &verdict,
	       Progress &progress)
	: from_(from), keep_(keep), target_(target), super_(super), verdict_(verdict), progress_(progress),
	  index_(jindex_create(1, index_cap)), end_(super.tail_pos), data_(make_buffer(data_most * sector_size))
{
}

bool Replay::fail(const Error &error)
{
	error_ = error;
	return false;
}

bool Replay::record(const jrecord &next)
{
	struct jindex_stats stats;

	if (next.seq > verdict_.good.seq)
		return false;
	jindex_stats(index_.get(), &stats);
	const bool whole = keep_ && next.epoch != epoch_ && last_seq_ >= super_.ckpt_to_seq;
	if (started_ && (whole || stats.bytes > index_cap / 2)) {
		const Result<> written = write_batch();
		if (!written)
			return fail(written.error());
		if (Interruptible::requested())
			return fail({Exit::interrupted, fmt::format("interrupted; {} has everything up to record {}",
								    target_.path(), last_seq_),
				     keep_ ? "The same command goes on from there." : "The copy is incomplete: replay onto it again."});
	}
	started_ = true;
	epoch_ = next.epoch;
	last_seq_ = next.seq;
	last_crc_ = next.crc;
	end_ = jpos_add(next.pos, next.len);
	return true;
}

bool Replay::extent(const jextent &extent)
{
	const jmap run = {extent.home, extent.len, extent.kind, true, extent.pos, false, 0};

	if (jindex_reserve(index_.get(), extent.len))
		return fail({Exit::io, "not enough memory for the records of one epoch", {}});
	jindex_insert(index_.get(), &run);
	return true;
}

Result<> Replay::flush_data()
{
	if (!data_sectors_)
		return done();
	const Result<> written = target_.write(data_home_, data_.get(), data_sectors_);
	written_ += data_sectors_;
	data_sectors_ = 0;
	progress_.update(written_ * sector_size);
	return written;
}

Result<> Replay::write_data(const jmap &run)
{
	for (std::uint64_t at = 0; at < run.len;) {
		const std::uint64_t home = run.home.v + at;
		if (home != data_home_ + data_sectors_ || data_sectors_ == data_most) {
			const Result<> flushed = flush_data();
			if (!flushed)
				return flushed;
			data_home_ = home;
		}
		const std::uint64_t n = std::min(run.len - at, data_most - data_sectors_);
		const Result<> read = from_.read_payload(super_.geo, jpos_add(run.pos, at),
							 data_.get() + data_sectors_ * sector_size,
							 static_cast<std::uint32_t>(n));
		if (!read)
			return read;
		data_sectors_ += n;
		at += n;
	}
	return done();
}

Result<> Replay::write_run(const jmap &run)
{
	if (run.kind == JFMT_DATA)
		return write_data(run);
	const Result<> flushed = flush_data();
	if (!flushed)
		return flushed;
	return empty(target_, run.kind, run.home.v, run.len);
}

Result<> Replay::write_batch()
{
	Result<> result = done();
	jmap run;

	if (keep_) {
		super_.flags &= ~JFMT_SUPER_FP;		/* it is no more what the home holds */
		super_.ckpt_to_seq = last_seq_;
		super_.ckpt_to_pos = end_;
		result = keep_->write_super(super_);
	}
	for (struct jsec at = jsec(0); result && jindex_next(index_.get(), at, &run); at = jsec(run.home.v + run.len))
		result = write_run(run);
	if (result)
		result = flush_data();
	if (result)
		result = target_.sync();
	if (!result)
		return result;
	jindex_clear(index_.get());
	super_.tail_pos = end_;
	super_.tail_seq = last_seq_;
	super_.tail_crc = last_crc_;
	super_.durable_seq = std::max<std::uint64_t>(super_.durable_seq, last_seq_);
	super_.epoch = std::max<std::uint64_t>(super_.epoch, epoch_);
	return done();
}

// The barrier: what lies behind the last good record is never taken for a record again.
Result<> Replay::write_final()
{
	const std::uint64_t used = std::max<std::uint64_t>({verdict_.scan.seen_seq, verdict_.scan.durable_seq,
							    super_.first_new_seq});

	super_.tail_pos = super_.ckpt_to_pos = verdict_.good.pos;
	super_.tail_seq = super_.ckpt_to_seq = super_.durable_seq = verdict_.good.seq;
	super_.tail_crc = verdict_.good.crc;
	if (used <= JFMT_SEQ_MAX - sequence_jump) {
		super_.barrier_pos = super_.tail_pos;
		super_.barrier_seq = super_.tail_seq;
		super_.barrier_crc = super_.tail_crc;
		super_.first_new_seq = used + sequence_jump;
	} else {
		super_.flags |= JFMT_SUPER_RETIRED;	/* no sequence is left for a record behind it */
	}
	super_.recoveries++;
	super_.flags &= ~JFMT_SUPER_RUNNING;
	// In both slots: the branch must not come back when one of them rots.
	const Result<> first = keep_->write_super(super_);
	return first ? keep_->write_super(super_) : first;
}

Result<> Replay::run()
{
	if (!index_)
		return Error{Exit::io, "not enough memory for an index", {}};
	const jscan_result result = from_.scan(super_, {
		.record = [&](const jrecord &next) { return record(next); },
		.extent = [&](const jrecord &, const jextent &x) { return extent(x); },
	});
	if (error_)
		return *error_;
	if (last_seq_ != verdict_.good.seq && verdict_.records)
		return Error{Exit::io, fmt::format("{} reads differently than a moment ago: {} at log sector {}", from_.path(),
						   result.why, result.head_dev),
			     "See the kernel log (dmesg) for what the device says."};
	if (started_) {
		const Result<> written = write_batch();
		if (!written)
			return written;
	}
	return keep_ ? write_final() : done();
}

} // namespace jbd

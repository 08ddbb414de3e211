// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: a record counts as good only when all its extents have been seen.
// Crashes leave nothing here.
#include "verify.h"

#include <fmt/core.h>

#include <cstring>

#include "signals.h"

namespace jbd {

namespace {

class Verifier {
public:
	Verifier(const Log &log, const jsuper &super, bool payload, Progress &progress)
		: log_(log), super_(super), payload_(payload), progress_(progress)
	{
		verdict.good = {super.tail_seq, super.epoch, super.tail_crc, super.tail_pos};
	}

	bool record(const jrecord &next)
	{
		settle();
		if (Interruptible::requested())
			return false;
		progress_.update((next.pos.v - super_.tail_pos.v) * sector_size);
		pending_ = next;
		return true;
	}

	bool extent(const jrecord &of, const jextent &extent)
	{
		if (extent.kind != JFMT_DATA) {
			emptied_ += extent.len;
			return true;
		}
		sectors_ += extent.len;
		if (!payload_)
			return true;
		const Result<bool> good = log_.payload_good(super_.geo, extent);
		if (!good) {
			error = good.error();
			return false;
		}
		if (!*good)
			verdict.damage = fmt::format(
				"record {} (log sector {}): payload for home sectors {}+{} at log sector {} fails its checksum",
				of.seq, jring_dev(&super_.geo, of.pos), extent.home.v, extent.len,
				jring_dev(&super_.geo, extent.pos));
		return *good;
	}

	// The pending record was seen whole.
	void settle()
	{
		if (!pending_)
			return;
		verdict.records++;
		if (pending_->epoch != last_epoch_)
			verdict.epochs++;
		last_epoch_ = pending_->epoch;
		verdict.payload_sectors += sectors_;
		verdict.emptied_sectors += emptied_;
		sectors_ = emptied_ = 0;
		verdict.good = {pending_->seq, pending_->epoch, pending_->crc, jpos_add(pending_->pos, pending_->len)};
		pending_.reset();
	}

	Verdict verdict;
	std::optional<Error> error;

private:
	const Log &log_;
	const jsuper &super_;
	const bool payload_;
	Progress &progress_;
	std::optional<jrecord> pending_;
	std::uint64_t last_epoch_ = 0, sectors_ = 0, emptied_ = 0;
};

} // namespace

Result<Verdict> verify(const Log &log, const jsuper &super, bool payload, Progress &progress)
{
	Verifier verifier(log, super, payload, progress);
	Verdict &verdict = verifier.verdict;

	verdict.scan = log.scan(super, {
		.record = [&](const jrecord &record) { return verifier.record(record); },
		.extent = [&](const jrecord &record, const jextent &extent) { return verifier.extent(record, extent); },
	});
	if (verifier.error)
		return *verifier.error;
	switch (verdict.scan.end) {
	case JSCAN_END:
		verifier.settle();
		break;
	case JSCAN_DAMAGE:
		verifier.settle();
		verdict.damage = fmt::format("{} at log sector {}, but record {} had been made durable", verdict.scan.why,
					     verdict.scan.head_dev, verdict.scan.durable_seq);
		break;
	case JSCAN_UNREADABLE:
		return os_error(-verdict.scan.error,
				fmt::format("{}: {}: log sector {}", log.path(), verdict.scan.why, verdict.scan.error_dev),
				"See the kernel log (dmesg) for what the device says. If it stays, --accept-loss takes a copy of the log "
				"that ddrescue has made.");
	case JSCAN_STOPPED:
		if (!verdict.damage)
			return Error{Exit::interrupted, fmt::format("{}: interrupted; nothing was changed", log.path()), {}};
		break;
	}
	return verdict;
}

} // namespace jbd

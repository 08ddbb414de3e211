// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: nothing but retire() and wipe() writes to the intent device, and
// nothing but apply() to a home. Crashes leave what intent.h says.
#include "intent.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "image.h"
#include "signals.h"
#include "units.h"

namespace jbd {

namespace {

constexpr std::uint32_t buffer_sectors = 2048;

std::uint64_t super_sector(std::uint64_t slot)
{
	return slot * (IFMT_SUPER_STRIDE / JFMT_SECTOR);
}

} // namespace

std::string Batch::text() const
{
	return fmt::format("batch {} ({} extents, {} of data{})", commit.batch, extents.size(),
			   format_sectors(commit.payload_len),
			   emptied_sectors ? fmt::format(", {} discarded or zeroed", format_sectors(emptied_sectors)) : "");
}

Intent::Intent(const Device &device) : device_(device), buffer_(make_buffer(buffer_sectors * sector_size))
{
	for (unsigned i = 0; i < IFMT_SUPER_SLOTS; i++) {
		const int error = device_.read_raw(super_sector(i), buffer_.get(), IBLOCK_SECTORS);
		slots_[i].super = {};
		/* too short for a slot: no intent device */
		slots_[i].verdict = error == ENODATA ? ISUPER_FOREIGN : error ? ISUPER_UNREADABLE :
			isuper_decode(buffer_.get(), device_.sectors(), &slots_[i].super);
	}
}

bool Intent::is_intent() const
{
	return std::ranges::any_of(slots_, [](const IntentSlot &slot) {
		return slot.verdict != ISUPER_FOREIGN && slot.verdict != ISUPER_UNREADABLE;
	});
}

Result<isuper> Intent::super() const
{
	const isuper_verdict verdicts[2] = {slots_[0].verdict, slots_[1].verdict};
	const isuper supers[2] = {slots_[0].super, slots_[1].super};
	const int chosen = isuper_choose(verdicts, supers);

	if (chosen >= 0)
		return supers[chosen];
	if (std::ranges::count(verdicts, ISUPER_NEWER))
		return Error{Exit::device, fmt::format("{}: the intent device was written by a newer version", path()),
			     "Install the modules and the jbdctl of that version; this one leaves it alone."};
	if (!is_intent() && !std::ranges::count(verdicts, ISUPER_UNREADABLE))
		return Error{Exit::device, fmt::format("{} is not an intent device", path()),
			     "Is it the right device? 'jbdctl create --intent' makes an intent device."};
	if (verdicts[0] == ISUPER_OK && verdicts[1] == ISUPER_OK)
		return Error{Exit::damage, fmt::format("{}: the two superblocks are of different intent devices", path()),
			     "Wipe the slot of the old one; 'jbdctl log dump' shows both."};
	return Error{Exit::damage,
		     fmt::format("{}: no usable superblock: slot 0 at byte 0: {}; slot 1 at byte {}: {}", path(),
				 isuper_verdict_text(verdicts[0]), IFMT_SUPER_STRIDE, isuper_verdict_text(verdicts[1])),
		     "If it cannot be repaired, 'jbdctl recover --log LOG --home HOME --intent-lost' does without it."};
}

bool Intent::agree() const
{
	const isuper_verdict verdicts[2] = {slots_[0].verdict, slots_[1].verdict};
	const isuper supers[2] = {slots_[0].super, slots_[1].super};

	return isuper_agree(verdicts, supers);
}

Result<> Intent::writable(const isuper &super) const
{
	if (super.ro_compat & ~IFMT_RO_COMPAT_ALL)
		return Error{Exit::device,
			     fmt::format("{}: the intent device has features that this version can only read", path()),
			     "Use the jbdctl of that version, or 'jbdctl recover --onto COPY'."};
	return done();
}

Result<> Intent::retire(isuper super, std::uint64_t batch)
{
	Result<> result = writable(super);

	super.retired = batch;
	/* the slot that is not the newest one first */
	for (unsigned n = 0; result && n < IFMT_SUPER_SLOTS; n++) {
		const unsigned i = ++super.generation % IFMT_SUPER_SLOTS;
		const Buffer block = make_buffer(IFMT_BLOCK);

		isuper_encode(&super, block.get());
		result = device_.write(super_sector(i), block.get(), IBLOCK_SECTORS);
		if (result)
			result = device_.sync();
		if (result)
			slots_[i] = {ISUPER_OK, super};
	}
	return result;
}

Result<> Intent::wipe() const
{
	const unsigned newest = slots_[1].verdict == ISUPER_OK &&
		(slots_[0].verdict != ISUPER_OK || slots_[1].super.generation > slots_[0].super.generation);

	for (unsigned i : {1 - newest, newest}) {
		Result<> result = device_.zero(super_sector(i), IBLOCK_SECTORS);
		if (result)
			result = device_.sync();
		if (!result)
			return result;
	}
	return done();
}

Result<std::optional<icommit>> Intent::commit(const isuper &super, unsigned slot) const
{
	icommit commit{};
	const Result<> read = device_.read(igeo_slot(&super.geo, slot), buffer_.get(), IBLOCK_SECTORS);

	if (!read)
		return read.error();
	if (!icommit_decode(&super.geo, slot, buffer_.get(), &commit))
		return std::optional<icommit>();
	return std::optional<icommit>(commit);
}

Result<std::optional<icommit>> Intent::pending(const isuper &super) const
{
	std::optional<icommit> newest;

	for (unsigned slot = 0; slot < 2; slot++) {
		const Result<std::optional<icommit>> found = commit(super, slot);
		if (!found)
			return found.error();
		if (*found && (!newest || (*found)->batch > newest->batch))
			newest = *found;
	}
	if (newest && newest->batch <= super.retired)
		newest.reset();
	return newest;
}

Error Intent::damage(const icommit &commit, const std::string &what) const
{
	return {Exit::damage, fmt::format("{}: batch {} was committed, but {}", path(), commit.batch, what),
		"The home may hold any part of the batch. If the log is whole, 'jbdctl recover --log LOG --home HOME "
		"--intent-lost' replays what it has over that."};
}

Result<std::vector<iextent>> Intent::descriptors(const isuper &super, const icommit &commit) const
{
	const std::uint64_t start = igeo_desc(&super.geo, commit.batch);
	std::uint32_t crc = ibatch_seed(&super.geo, commit.batch);
	std::uint64_t payload = 0;
	std::vector<iextent> extents;

	for (std::uint32_t done = 0; done < commit.nr_extents; done += IFMT_DESC_EXTENTS) {
		const std::uint32_t n = std::min(commit.nr_extents - done, IFMT_DESC_EXTENTS);
		const std::uint64_t sector = start + done / IFMT_DESC_EXTENTS * IBLOCK_SECTORS;
		const Result<> read = device_.read(sector, buffer_.get(), IBLOCK_SECTORS);
		if (!read)
			return read.error();
		crc = ibatch_crc(crc, buffer_.get(), n * static_cast<std::uint32_t>(sizeof(jfmt_extent)));
		const jfmt_extent *from = reinterpret_cast<const jfmt_extent *>(buffer_.get());
		for (std::uint32_t i = 0; i < n; i++) {
			iextent extent{};
			if (!iextent_decode(&super.geo, &from[i], &extent))
				return damage(commit, fmt::format("its extent {} at sector {} is out of bounds", done + i, sector));
			payload += extent.kind == JFMT_DATA ? extent.len : 0;
			extents.push_back(extent);
		}
	}
	if (crc != commit.desc_crc)
		return damage(commit, fmt::format("its descriptors at sector {} fail their checksum", start));
	if (payload > commit.payload_len)
		return damage(commit, fmt::format("its extents have {} sectors of data and it has {}", payload, commit.payload_len));
	return extents;
}

Result<> Intent::check_payload(const isuper &super, const icommit &commit, const iextent &extent, std::uint64_t at) const
{
	std::uint32_t crc = ibatch_seed(&super.geo, commit.batch);

	for (std::uint32_t done = 0; done < extent.len;) {
		const std::uint32_t n = std::min(extent.len - done, buffer_sectors);
		const Result<> read = device_.read(at + done, buffer_.get(), n);
		if (!read)
			return read;
		crc = ibatch_crc(crc, buffer_.get(), n * JFMT_SECTOR);
		done += n;
	}
	if (crc != extent.crc)
		return damage(commit, fmt::format("its data for home sectors {}+{} at sector {} fail their checksum",
						  extent.home, extent.len, at));
	return done();
}

Result<Batch> Intent::read(const isuper &super, const icommit &commit, Progress &progress) const
{
	const std::uint64_t start = igeo_payload(&super.geo, commit.batch);
	std::uint64_t at = start;

	/* what is in a volatile cache now would be gone after the next power cut, when the home has part of it */
	const Result<> synced = device_.sync();
	if (!synced)
		return synced.error();
	Result<std::vector<iextent>> extents = descriptors(super, commit);
	if (!extents)
		return extents.error();
	Batch batch{commit, std::move(*extents), 0};
	for (const iextent &extent : batch.extents) {
		if (Interruptible::requested())
			return Error{Exit::interrupted, fmt::format("{}: interrupted; nothing was changed", path()), {}};
		if (extent.kind != JFMT_DATA) {
			batch.emptied_sectors += extent.len;
			continue;
		}
		const Result<> good = check_payload(super, commit, extent, at);
		if (!good)
			return good.error();
		at += extent.len;
		progress.update((at - start) * sector_size);
	}
	return batch;
}

Result<> Intent::apply(const isuper &super, const Batch &batch, const Device &home, Progress &progress) const
{
	const std::uint64_t start = igeo_payload(&super.geo, batch.commit.batch);
	std::uint64_t at = start;
	Result<> result = done();

	for (const iextent &extent : batch.extents) {
		if (Interruptible::requested())
			return Error{Exit::interrupted, fmt::format("interrupted; {} has a part of batch {}", home.path(),
								    batch.commit.batch),
				     "The same command completes it."};
		if (extent.kind != JFMT_DATA)
			result = empty(home, extent.kind, extent.home, extent.len);
		for (std::uint32_t done = 0; result && extent.kind == JFMT_DATA && done < extent.len;) {
			const std::uint32_t n = std::min(extent.len - done, buffer_sectors);
			result = device_.read(at, buffer_.get(), n);
			if (result)
				result = home.write(extent.home + done, buffer_.get(), n);
			done += n;
			at += n;
			progress.update((at - start) * sector_size);
		}
		if (!result)
			return result;
	}
	return home.sync();
}

} // namespace jbd

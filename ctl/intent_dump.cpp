// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: only reads. Crashes leave nothing here.
#include "intent_dump.h"

#include <fmt/core.h>

#include "image.h"
#include "json.h"
#include "signals.h"
#include "units.h"

namespace jbd {

using Json = nlohmann::ordered_json;

namespace {

// What stays as it was at format.
void print_device(const isuper &s)
{
	const igeo &g = s.geo;

	fmt::print("UUID     {}\n"
		   "Made     {}\n"
		   "Home     {} sectors ({}){}{}\n"
		   "Slots    2 of {} sectors from {} on, each for a batch of up to {} in {} extents\n\n",
		   uuid_text(s.uuid), format_time(s.created_ms), g.home_len, format_sectors(g.home_len),
		   *s.home_id ? ", " : "", s.home_id, g.slot_len, g.slot_start, format_sectors(igeo_payload_max(&g)),
		   igeo_extents_max(&g));
}

const char *slot_text(const IntentSlot &slot)
{
	return slot.verdict == ISUPER_FOREIGN ? "no superblock" : isuper_verdict_text(slot.verdict);
}

Json super_json(const isuper &s)
{
	return {
		{"uuid", uuid_text(s.uuid)}, {"created_ms", s.created_ms}, {"generation", s.generation},
		{"home_len", s.geo.home_len}, {"home_id", s.home_id}, {"nonce", s.geo.nonce},
		{"slot_start", s.geo.slot_start}, {"slot_len", s.geo.slot_len}, {"desc_blocks", s.geo.desc_blocks},
		{"retired", s.retired},
	};
}

Json slots_json(const Intent &intent)
{
	Json json = Json::array();

	for (unsigned i = 0; i < IFMT_SUPER_SLOTS; i++) {
		const IntentSlot &slot = intent.slot(i);
		json.push_back({{"verdict", slot_text(slot)}});
		if (slot.verdict == ISUPER_OK)
			json.back()["super"] = super_json(slot.super);
	}
	return json;
}

void print_slots(const Intent &intent)
{
	for (unsigned i = 0; i < IFMT_SUPER_SLOTS; i++) {
		const IntentSlot &slot = intent.slot(i);
		fmt::print("Superblock in slot {} (sector {}): {}", i, i * (IFMT_SUPER_STRIDE / JFMT_SECTOR),
			   slot_text(slot));
		if (slot.verdict == ISUPER_OK)
			fmt::print(", generation {}, retired up to batch {}", slot.super.generation, slot.super.retired);
		fmt::print("\n");
	}
}

Json extents_json(const isuper &super, const icommit &commit, const std::vector<iextent> &extents)
{
	std::uint64_t at = igeo_payload(&super.geo, commit.batch);
	Json json = Json::array();

	for (const iextent &x : extents) {
		json.push_back({{"kind", kind_name(x.kind)}, {"home", x.home}, {"len", x.len}});
		if (x.kind != JFMT_DATA)
			continue;
		json.back()["intent_sector"] = at;
		json.back()["crc"] = x.crc;
		at += x.len;
	}
	return json;
}

std::string extents_text(const isuper &super, const icommit &commit, const std::vector<iextent> &extents)
{
	std::uint64_t at = igeo_payload(&super.geo, commit.batch);
	std::string text;

	for (const iextent &x : extents) {
		text += fmt::format("        {:<8} home {}+{}", kind_name(x.kind), x.home, x.len);
		if (x.kind == JFMT_DATA)
			text += fmt::format("  sector {}  crc {:08x}", at, x.crc);
		text += '\n';
		at += x.kind == JFMT_DATA ? x.len : 0;
	}
	return text;
}

// One commit block. @json: where it goes; null: print it.
Result<> dump_batch(const Intent &intent, const isuper &super, const icommit &commit, bool is_pending, bool extents,
		    Json *json)
{
	const char *state = is_pending ? "pending" : "retired";

	if (json)
		json->push_back({{"batch", commit.batch}, {"sector", igeo_slot(&super.geo, commit.batch)}, {"state", state},
				 {"nr_extents", commit.nr_extents}, {"payload_sectors", commit.payload_len},
				 {"time_ms", commit.time_ms}, {"desc_crc", commit.desc_crc}});
	else
		fmt::print("Batch {} at sector {}: {}, {} extents, {} of data, {}\n", commit.batch,
			   igeo_slot(&super.geo, commit.batch), state, commit.nr_extents, format_sectors(commit.payload_len),
			   format_time(commit.time_ms));
	if (!extents)
		return done();
	const Result<std::vector<iextent>> found = intent.descriptors(super, commit);
	if (!found && (is_pending || found.error().code != Exit::damage))
		return found.error();
	if (json)
		json->back()["extents"] = found ? extents_json(super, commit, *found) : Json(nullptr);
	else
		fmt::print("{}", found ? extents_text(super, commit, *found) : "        its slot has been used since\n");
	return done();
}

Result<> dump_batches(const Intent &intent, const isuper &super, bool extents, Json *json)
{
	const Result<std::optional<icommit>> pending = intent.pending(super);

	if (!pending)
		return pending.error();
	for (unsigned slot = 0; slot < 2; slot++) {
		const Result<std::optional<icommit>> commit = intent.commit(super, slot);
		if (!commit)
			return commit.error();
		if (!*commit && !json)
			fmt::print("No batch at sector {}\n", igeo_slot(&super.geo, slot));
		if (!*commit)
			continue;
		const bool is_pending = *pending && (*pending)->batch == (*commit)->batch;
		const Result<> dumped = dump_batch(intent, super, **commit, is_pending, extents, json);
		if (!dumped)
			return dumped;
	}
	return done();
}

} // namespace

const char *kind_name(jfmt_kind kind)
{
	return kind == JFMT_DATA ? "data" : kind == JFMT_DISCARD ? "discard" : "zeroes";
}

Result<> dump_intent(const Intent &intent, bool extents, bool as_json)
{
	const Result<isuper> super = intent.super();
	Json batches = Json::array();

	if (super && !as_json)
		print_device(*super);
	if (!as_json)
		print_slots(intent);
	const Result<> result = super ? dump_batches(intent, *super, extents, as_json ? &batches : nullptr) :
		Result<>(super.error());
	if (as_json)
		fmt::print("{}\n", json_text({{"intent_device", true}, {"slots", slots_json(intent)}, {"batches", batches}}, indented));
	return result;
}

Result<> verify_intent(const Intent &intent, bool as_json, bool quiet)
{
	const Interruptible interruptible;
	const Result<isuper> super = intent.super();
	if (!super)
		return super.error();
	const Result<std::optional<icommit>> pending = intent.pending(*super);
	if (!pending)
		return pending.error();
	std::optional<Batch> batch;
	Result<> judged = done();
	if (*pending) {
		Progress progress(intent.path(), (*pending)->payload_len * sector_size, quiet);
		Result<Batch> read = intent.read(*super, **pending, progress);
		if (read)
			batch = std::move(*read);
		else if (read.error().code != Exit::damage)
			return read.error();
		else
			judged = read.error();
	}
	if (as_json)
		fmt::print("{}\n", Json({
			{"intent_device", true}, {"slots", slots_json(intent)},
			{"verdict", !judged ? "damaged" : batch ? "good" : "empty"},
			{"damage", judged ? Json(nullptr) : Json(judged.error().text)},
			{"retired", super->retired}, {"batch", *pending ? Json((*pending)->batch) : Json(nullptr)},
			{"extents", *pending ? (*pending)->nr_extents : 0},
			{"payload_sectors", *pending ? (*pending)->payload_len : 0},
			{"emptied_sectors", batch ? batch->emptied_sectors : 0},
		}).dump(2));
	else
		print_slots(intent);
	if (!as_json && judged)
		fmt::print("{}\n", batch ? fmt::format("The intent device is good, and holds {}; the home may have it in part only.",
						       batch->text()) :
			   "The intent device is good and empty: the home has every batch.");
	return judged;
}

} // namespace jbd

// SPDX-License-Identifier: GPL-2.0-only
//
// jbdctl log dump: superblocks and records, or batches, as they are. Only reads. Crashes leave nothing here.
#include <endian.h>

#include <fmt/core.h>

#include "format_intent.h"
#include "image.h"
#include "intent_dump.h"
#include "json.h"
#include "units.h"
#include "verbs.h"

namespace jbd {

using Json = nlohmann::ordered_json;

namespace {

struct Words {
	std::string log;
	bool as_json = false, extents = false;
};

std::string flag_names(std::uint32_t flags)
{
	std::string names;

	if (flags & JFMT_SUPER_FP)
		names += " fingerprint";
	if (flags & JFMT_SUPER_RETIRED)
		names += " retired";
	if (flags & JFMT_SUPER_RUNNING)
		names += " running";
	if (flags & JFMT_SUPER_HELD)
		names += " held";
	return names.empty() ? "none" : names.substr(1);
}

std::vector<const jfmt_mark *> marks_of(const jsuper &s)
{
	std::vector<const jfmt_mark *> marks;

	for (const jfmt_mark &mark : s.mark)
		if (mark.name[0])
			marks.push_back(&mark);
	return marks;
}

// Names that no version writes are shown as one thing.
std::string mark_name(const jfmt_mark &mark)
{
	const char *name = reinterpret_cast<const char *>(mark.name);

	return jmark_name_ok(name) ? name : "?";
}

// What stays as it was at format.
void print_log(const jsuper &s)
{
	const jgeo &g = s.geo;

	fmt::print("Label    {}\n"
		   "UUID     {}\n"
		   "Made     {}\n"
		   "Home     {} sectors ({}){}{}\n"
		   "Area     log sectors {}+{} ({}), unit {}, records up to {}\n\n",
		   s.label, uuid_text(s.uuid), format_time(s.created_ms),
		   g.home_len, format_sectors(g.home_len), *s.home_id ? ", " : "", s.home_id,
		   g.area_start, g.area_len, format_sectors(g.area_len), format_sectors(g.unit), format_sectors(g.record_max));
	if (is_bound(s))
		fmt::print("Bound to the intent device {}\n\n", uuid_text(s.intent_uuid));
}

void print_super(const jsuper &s)
{
	fmt::print("    tail           record {}; replay starts at position {} (log sector {})\n"
		   "    durable        record {}\n"
		   "    checkpoint to  record {} (position {})\n"
		   "    epoch          {}\n"
		   "    barrier        record {} (position {}), new records from {}, {} recoveries\n"
		   "    flags          {}\n",
		   s.tail_seq, s.tail_pos.v, jring_dev(&s.geo, s.tail_pos), s.durable_seq, s.ckpt_to_seq, s.ckpt_to_pos.v,
		   s.epoch, s.barrier_seq, s.barrier_pos.v, s.first_new_seq, s.recoveries, flag_names(s.flags));
	for (const jfmt_mark *mark : marks_of(s))
		fmt::print("    mark           {} behind record {} (position {}), made {}\n", mark_name(*mark), jmark_cut(mark).seq,
			   jmark_cut(mark).pos.v, format_time(le64toh(mark->time_ms)));
}

Json super_json(const jsuper &s)
{
	Json marks = Json::array();

	for (const jfmt_mark *mark : marks_of(s)) {
		const jcut cut = jmark_cut(mark);
		marks.push_back({{"name", mark_name(*mark)}, {"seq", cut.seq}, {"pos", cut.pos.v}, {"crc", cut.crc},
				 {"time_ms", le64toh(mark->time_ms)}});
	}
	return {
		{"label", s.label}, {"uuid", uuid_text(s.uuid)}, {"created_ms", s.created_ms},
		{"generation", s.generation}, {"flags", s.flags}, {"flag_names", flag_names(s.flags)},
		{"home_len", s.geo.home_len}, {"home_id", s.home_id},
		{"area_start", s.geo.area_start}, {"area_len", s.geo.area_len},
		{"unit", s.geo.unit}, {"record_max", s.geo.record_max}, {"nonce", s.geo.nonce},
		{"tail_seq", s.tail_seq}, {"tail_pos", s.tail_pos.v}, {"tail_crc", s.tail_crc},
		{"durable_seq", s.durable_seq},
		{"ckpt_to_seq", s.ckpt_to_seq}, {"ckpt_to_pos", s.ckpt_to_pos.v}, {"epoch", s.epoch},
		{"barrier_seq", s.barrier_seq}, {"barrier_pos", s.barrier_pos.v}, {"barrier_crc", s.barrier_crc},
		{"first_new_seq", s.first_new_seq}, {"recoveries", s.recoveries},
		{"held", (s.flags & JFMT_SUPER_HELD) != 0}, {"marks", marks},
		{"intent_uuid", is_bound(s) ? Json(uuid_text(s.intent_uuid)) : Json(nullptr)},
	};
}

// One record at a time, so that a log of any size can be dumped.
class Printer {
public:
	Printer(const jgeo &geo, const Words &words) : geo_(geo), words_(words) {}

	bool record(const jrecord &next)
	{
		end_record();
		record_ = next;
		extents_ = Json::array();
		lines_.clear();
		nr_extents_ = data_ = emptied_ = 0;
		return true;
	}

	bool extent(const jrecord &, const jextent &x)
	{
		nr_extents_++;
		(x.kind == JFMT_DATA ? data_ : emptied_) += x.len;
		if (!words_.extents)
			return true;
		if (words_.as_json) {
			Json json = {{"kind", kind_name(x.kind)}, {"home", x.home.v}, {"len", x.len}};
			if (x.kind == JFMT_DATA) {
				json["log_sector"] = jring_dev(&geo_, x.pos);
				json["crc"] = x.crc;
			}
			extents_.push_back(std::move(json));
		} else {
			lines_ += fmt::format("        {:<8} home {}+{}", kind_name(x.kind), x.home.v, x.len);
			if (x.kind == JFMT_DATA)
				lines_ += fmt::format("  log {}  crc {:08x}", jring_dev(&geo_, x.pos), x.crc);
			lines_ += '\n';
		}
		return true;
	}

	void end_record()
	{
		if (!record_)
			return;
		const jrecord &r = *record_;
		if (words_.as_json) {
			Json json = {
				{"seq", r.seq}, {"epoch", r.epoch}, {"pos", r.pos.v}, {"log_sector", jring_dev(&geo_, r.pos)},
				{"len", r.len}, {"crc", r.crc}, {"prev_seq", r.prev_seq}, {"tail_seq", r.tail_seq},
				{"durable_seq", r.durable_seq}, {"time_ms", r.time_ms},
				{"sync", (r.flags & JFMT_RECORD_SYNC) != 0},
				{"nr_extents", nr_extents_}, {"data_sectors", data_}, {"emptied_sectors", emptied_},
			};
			if (words_.extents)
				json["extents"] = std::move(extents_);
			fmt::print("{}\n{}", first_ ? "" : ",", json_text(json, one_line));
		} else {
			if (first_)
				fmt::print("\n{:>10} {:>8} {:>12} {:>8} {:>8} {:>8} {:>8}  {}\n", "RECORD", "EPOCH", "LOG SECTOR",
					   "SECTORS", "EXTENTS", "DATA", "EMPTIED", "CLOSED BY");
			fmt::print("{:>10} {:>8} {:>12} {:>8} {:>8} {:>8} {:>8}  {}\n{}", r.seq, r.epoch,
				   jring_dev(&geo_, r.pos), r.len, nr_extents_, data_, emptied_,
				   r.flags & JFMT_RECORD_SYNC ? "flush" : "-", lines_);
		}
		first_ = false;
		record_.reset();
	}

private:
	const jgeo &geo_;
	const Words &words_;
	std::optional<jrecord> record_;
	Json extents_;
	std::string lines_;
	std::uint64_t nr_extents_ = 0, data_ = 0, emptied_ = 0;
	bool first_ = true;
};

const char *end_name(jscan_end end)
{
	return end == JSCAN_END ? "end" : end == JSCAN_DAMAGE ? "damage" : "unreadable";
}

void print_slots(const Log &log, const Words &words)
{
	Json json = Json::array();

	for (unsigned i = 0; i < JFMT_SUPER_SLOTS; i++) {
		const Slot &slot = log.slot(i);
		const char *verdict = jsuper_verdict_text(slot.verdict);
		if (words.as_json) {
			json.push_back({{"verdict", verdict}});
			if (slot.verdict == JSUPER_OK)
				json.back()["super"] = super_json(slot.super);
			continue;
		}
		fmt::print("Superblock in slot {} (log sector {}): {}{}\n", i, i * (JFMT_SUPER_STRIDE / JFMT_SECTOR), verdict,
			   slot.verdict == JSUPER_OK ? fmt::format(", generation {}", slot.super.generation) : "");
		if (slot.verdict == JSUPER_OK)
			print_super(slot.super);
	}
	if (words.as_json)
		fmt::print("{{\"slots\": {},\n\"records\": [", json_text(json, one_line));
}

Result<> dump(const Words &words)
{
	Result<Device> device = Device::open(words.log, Device::Access::read);
	if (!device)
		return device.error();
	if (const Intent intent(*device); intent.is_intent())
		return dump_intent(intent, words.extents, words.as_json);
	const Log log(std::move(*device));
	const Result<jsuper> super = log.super();
	if (!super && !log.is_log())
		return super.error();
	if (super && !words.as_json)
		print_log(*super);
	print_slots(log, words);
	if (!super) {
		if (words.as_json)
			fmt::print("]}}\n");
		return super.error();
	}
	Printer printer(super->geo, words);
	const jscan_result result = log.scan(*super, {
		.record = [&](const jrecord &record) { return printer.record(record); },
		.extent = [&](const jrecord &record, const jextent &extent) { return printer.extent(record, extent); },
	});
	printer.end_record();
	if (words.as_json)
		fmt::print("\n],\n\"end\": {}}}\n", Json({
			{"verdict", end_name(result.end)}, {"why", result.why}, {"log_sector", result.head_dev},
			{"last_seq", result.last_seq}, {"durable_seq", result.durable_seq}, {"seen_seq", result.seen_seq},
			{"records", result.records}, {"extents", result.extents},
			{"payload_sectors", result.payload_sectors}, {"read_sectors", result.read_sectors}}).dump());
	else
		fmt::print("\n{} records, {} of data; at log sector {}: {}: {}\n", result.records,
			   format_sectors(result.payload_sectors), result.head_dev, end_name(result.end), result.why);
	if (result.end == JSCAN_DAMAGE)
		return Error{Exit::damage, fmt::format("{}: damaged at log sector {}: {}, but record {} had been made durable",
						       words.log, result.head_dev, result.why, result.durable_seq),
			     fmt::format("'jbdctl log verify {}' says more.", words.log)};
	if (result.end == JSCAN_UNREADABLE)
		return os_error(-result.error, fmt::format("{}: {}: log sector {}", words.log, result.why, result.error_dev));
	return done();
}

} // namespace

void add_log_dump(const Command &log)
{
	const auto words = std::make_shared<Words>();
	const Command command = log.add("dump", "Print the superblocks and the records of a log, or the batches of an intent device, that is not in use");

	required({command.argument("LOG", words->log, "The device or image file with the log, or the intent device")});
	command.flag("--extents", words->extents, "Print the extents of each record or batch as well");
	command.flag("--json", words->as_json, "For programs");
	command.example("jbdctl log dump /dev/nvme0n1p3 --extents");
	command.does([=] { return dump(*words); });
}

} // namespace jbd

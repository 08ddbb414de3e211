// SPDX-License-Identifier: GPL-2.0-only
//
// docs/format.md says what format.h and intent_format.h say: every table against the compiler.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

extern "C" {
#include <linux/types.h>
#include <linux/kernel.h>
#include "../../dm-checkpoint/intent_format.h"
#include "../../dm-journal/scan.h"
}

namespace {

using Row = std::vector<std::string>;

Row cells(const std::string &line)
{
	Row row;
	size_t from = 1, bar;

	while ((bar = line.find('|', from)) != std::string::npos) {
		std::string cell = line.substr(from, bar - from);

		cell.erase(0, cell.find_first_not_of(' '));
		cell.erase(cell.find_last_not_of(' ') + 1);
		row.push_back(cell);
		from = bar + 1;
	}
	return row;
}

// The rows of each table, by the heading it stands under; the constants under "constant".
std::map<std::string, std::vector<Row>> tables()
{
	std::map<std::string, std::vector<Row>> out;
	std::ifstream in(std::filesystem::path(__FILE__).parent_path() / "../../docs/format.md");
	std::string line, heading, table;

	while (std::getline(in, line)) {
		if (line.starts_with("### "))
			heading = line.substr(4);
		if (!line.starts_with("|")) {
			table.clear();
			continue;
		}
		const Row row = cells(line);
		if (table.empty())
			table = row[0] == "constant" ? "constant" : heading;
		else if (!row[0].starts_with("---"))
			out[table].push_back(row);
	}
	return out;
}

struct Field {
	const char *name;
	size_t offset, size, element;	// element: size of one, if it is an array
	bool counted = true;		// false: a flexible array
};

#define FIELD(s, f) {#f, offsetof(s, f), sizeof(s::f), sizeof(s::f)}
#define ARRAY(s, f) {#f, offsetof(s, f), sizeof(s::f), sizeof(s::f[0])}
#define FLEX(s, f) {#f, offsetof(s, f), 0, sizeof(s::f[0]), false}

struct Struct {
	size_t size;
	std::vector<Field> fields;
};

const std::map<std::string, Struct> kStructs = {
	{"jfmt_super", {sizeof(jfmt_super), {
		ARRAY(jfmt_super, magic), FIELD(jfmt_super, crc), FIELD(jfmt_super, version),
		FIELD(jfmt_super, compat), FIELD(jfmt_super, ro_compat),
		FIELD(jfmt_super, incompat), ARRAY(jfmt_super, uuid), FIELD(jfmt_super, nonce),
		FIELD(jfmt_super, generation), FIELD(jfmt_super, area_start),
		FIELD(jfmt_super, area_len), FIELD(jfmt_super, unit),
		FIELD(jfmt_super, record_max), FIELD(jfmt_super, home_len),
		FIELD(jfmt_super, created_ms), FIELD(jfmt_super, flags),
		FIELD(jfmt_super, tail_crc), FIELD(jfmt_super, tail_pos),
		FIELD(jfmt_super, tail_seq), FIELD(jfmt_super, durable_seq),
		FIELD(jfmt_super, ckpt_to_seq), FIELD(jfmt_super, ckpt_to_pos),
		FIELD(jfmt_super, epoch), FIELD(jfmt_super, barrier_seq),
		FIELD(jfmt_super, barrier_pos), FIELD(jfmt_super, first_new_seq),
		FIELD(jfmt_super, barrier_crc), FIELD(jfmt_super, recoveries),
		ARRAY(jfmt_super, intent_uuid), ARRAY(jfmt_super, label),
		ARRAY(jfmt_super, home_id), ARRAY(jfmt_super, reserved0),
		ARRAY(jfmt_super, mark), ARRAY(jfmt_super, fp), ARRAY(jfmt_super, reserved1)}}},
	{"jfmt_mark", {sizeof(jfmt_mark), {
		ARRAY(jfmt_mark, name), FIELD(jfmt_mark, seq), FIELD(jfmt_mark, pos),
		FIELD(jfmt_mark, time_ms), FIELD(jfmt_mark, crc), FIELD(jfmt_mark, flags)}}},
	{"jfmt_fp", {sizeof(jfmt_fp), {
		FIELD(jfmt_fp, sector), FIELD(jfmt_fp, crc), FIELD(jfmt_fp, valid)}}},
	{"jfmt_extent", {sizeof(jfmt_extent), {
		FIELD(jfmt_extent, where), FIELD(jfmt_extent, len), FIELD(jfmt_extent, crc)}}},
	{"jfmt_record", {sizeof(jfmt_record), {
		FIELD(jfmt_record, magic), FIELD(jfmt_record, crc), FIELD(jfmt_record, nonce),
		FIELD(jfmt_record, seq), FIELD(jfmt_record, pos), FIELD(jfmt_record, epoch),
		FIELD(jfmt_record, prev_seq), FIELD(jfmt_record, prev_crc),
		FIELD(jfmt_record, len), FIELD(jfmt_record, tail_pos),
		FIELD(jfmt_record, tail_seq), FIELD(jfmt_record, durable_seq),
		FIELD(jfmt_record, time_ms), FIELD(jfmt_record, flags),
		FIELD(jfmt_record, nr_desc), FIELD(jfmt_record, nr_extents),
		FIELD(jfmt_record, next_desc), ARRAY(jfmt_record, reserved),
		FLEX(jfmt_record, extent)}}},
	{"jfmt_desc", {sizeof(jfmt_desc), {
		FIELD(jfmt_desc, magic), FIELD(jfmt_desc, crc), FIELD(jfmt_desc, nonce),
		FIELD(jfmt_desc, seq), FIELD(jfmt_desc, pos), FIELD(jfmt_desc, next_desc),
		FIELD(jfmt_desc, index), FIELD(jfmt_desc, nr_extents),
		ARRAY(jfmt_desc, reserved), FLEX(jfmt_desc, extent)}}},
	{"ifmt_super", {sizeof(ifmt_super), {
		ARRAY(ifmt_super, magic), FIELD(ifmt_super, crc), FIELD(ifmt_super, version),
		FIELD(ifmt_super, compat), FIELD(ifmt_super, ro_compat),
		FIELD(ifmt_super, incompat), ARRAY(ifmt_super, uuid), FIELD(ifmt_super, nonce),
		FIELD(ifmt_super, generation), FIELD(ifmt_super, home_len),
		FIELD(ifmt_super, slot_start), FIELD(ifmt_super, slot_len),
		FIELD(ifmt_super, desc_blocks), FIELD(ifmt_super, last_max),
		FIELD(ifmt_super, retired), FIELD(ifmt_super, created_ms),
		ARRAY(ifmt_super, home_id), ARRAY(ifmt_super, reserved)}}},
	{"ifmt_commit", {sizeof(ifmt_commit), {
		ARRAY(ifmt_commit, magic), FIELD(ifmt_commit, crc), FIELD(ifmt_commit, nr_extents),
		FIELD(ifmt_commit, nonce), FIELD(ifmt_commit, batch), FIELD(ifmt_commit, payload_len),
		FIELD(ifmt_commit, time_ms), FIELD(ifmt_commit, desc_crc),
		ARRAY(ifmt_commit, reserved)}}},
};

// "u64" -> 8, "u8[16]" -> 16, "jfmt_fp[32]" -> 512
size_t size_of_type(const std::string &type)
{
	static const std::map<std::string, size_t> sizes = {
		{"u8", 1}, {"u16", 2}, {"u32", 4}, {"u64", 8},
		{"jfmt_mark", sizeof(jfmt_mark)}, {"jfmt_fp", sizeof(jfmt_fp)},
	};
	const size_t bracket = type.find('[');
	const size_t n = bracket == std::string::npos ? 1 : std::stoul(type.substr(bracket + 1));

	return sizes.at(type.substr(0, bracket)) * n;
}

TEST(Format, EveryFieldLiesWhereTheTableSays)
{
	const auto doc = tables();

	for (const auto &[name, s] : kStructs) {
		SCOPED_TRACE(name);
		ASSERT_TRUE(doc.contains("struct " + name));
		const std::vector<Row> &rows = doc.at("struct " + name);
		ASSERT_EQ(rows.size(), s.fields.size());
		for (size_t i = 0; i < rows.size(); i++) {
			const Field &f = s.fields[i];

			ASSERT_EQ(rows[i].size(), 5u) << f.name;
			EXPECT_EQ(rows[i][3], f.name);
			EXPECT_EQ(rows[i][0], std::to_string(f.offset)) << f.name;
			if (!f.counted) {
				EXPECT_EQ(rows[i][1], "n * " + std::to_string(f.element)) << f.name;
				EXPECT_EQ(rows[i][2], "jfmt_extent[n]");
				continue;
			}
			EXPECT_EQ(rows[i][1], std::to_string(f.size)) << f.name;
			EXPECT_EQ(size_of_type(rows[i][2]), f.size) << f.name;
			EXPECT_EQ(f.offset % (f.element > 8 ? 8 : f.element), 0u) << f.name;
		}
	}
	EXPECT_EQ(doc.size(), kStructs.size() + 1);	// and the constants
}

TEST(Format, TheFieldsFillTheirStructureWithoutAGap)
{
	for (const auto &[name, s] : kStructs) {
		size_t end = 0;

		for (const Field &f : s.fields) {
			EXPECT_EQ(f.offset, end) << name << "." << f.name;
			end += f.size;
		}
		EXPECT_EQ(end, s.size) << name;
	}
}

TEST(Format, EveryConstantHasTheValueOfTheTable)
{
#define C(c) {#c, static_cast<unsigned long long>(c)}
	const std::map<std::string, unsigned long long> constants = {
		C(JFMT_SECTOR), C(JFMT_VERSION), C(JFMT_SUPER_SIZE), C(JFMT_SUPER_SLOTS),
		C(JFMT_SUPER_STRIDE), C(JFMT_AREA_START), C(JFMT_UNIT_MAX),
		C(JFMT_RECORD_MAGIC), C(JFMT_DESC_MAGIC), C(JFMT_COMPAT_ALL),
		C(JFMT_RO_COMPAT_HOLD), C(JFMT_RO_COMPAT_ALL), C(JFMT_INCOMPAT_ALL), C(JFMT_SUPER_FP),
		C(JFMT_SUPER_RETIRED), C(JFMT_SUPER_RUNNING), C(JFMT_SUPER_HELD), C(JFMT_RECORD_SYNC),
		C(JFMT_MARKS), C(JFMT_FP), C(JFMT_DATA), C(JFMT_DISCARD), C(JFMT_ZEROES),
		C(JFMT_HOME_BITS), C(JFMT_NOPAYLOAD_MAX), C(JFMT_SEQ_MAX), C(JFMT_POS_MAX),
		C(JRECORD_LEN_MAX),
		C(IFMT_VERSION), C(IFMT_BLOCK), C(IFMT_SUPER_SLOTS), C(IFMT_SUPER_STRIDE),
		C(IFMT_SLOT_START), C(IFMT_LAST_MAX), C(IFMT_DESC_MAX), C(IFMT_DESC_EXTENTS),
		C(IFMT_RO_COMPAT_ALL), C(IFMT_INCOMPAT_ALL),
	};
#undef C
	const auto doc = tables();
	std::map<std::string, unsigned long long> said;

	for (const Row &row : doc.at("constant"))
		said[row[0]] = std::stoull(row[1], nullptr, 0);
	EXPECT_EQ(said, constants);
	EXPECT_EQ(std::string(JFMT_SUPER_MAGIC), "\x89JBDlog\n");
	EXPECT_EQ(std::string(IFMT_SUPER_MAGIC), "\x89JBDint\n");
	EXPECT_EQ(std::string(IFMT_COMMIT_MAGIC), "\x89JBDbat\n");
}

} // namespace

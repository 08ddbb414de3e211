// SPDX-License-Identifier: GPL-2.0-only
//
// Sizes and times as jbdctl reads and prints them.
#include <gtest/gtest.h>

#include "../../ctl/progress.h"
#include "../../ctl/units.h"

using namespace jbd;

static std::uint64_t size(std::string_view text)
{
	const Result<std::uint64_t> parsed = parse_size(text);

	EXPECT_TRUE(parsed) << text;
	return parsed ? *parsed : 0;
}

TEST(Units, SizesTakeSuffixesOf1024)
{
	EXPECT_EQ(size("0"), 0u);
	EXPECT_EQ(size("512"), 512u);
	EXPECT_EQ(size("512B"), 512u);
	EXPECT_EQ(size("4K"), 4096u);
	EXPECT_EQ(size("4k"), 4096u);
	EXPECT_EQ(size("4KiB"), 4096u);
	EXPECT_EQ(size("1.5G"), 1610612736u);
	EXPECT_EQ(size("2TiB"), 2ull << 40);
	EXPECT_EQ(size("15E"), 15ull << 60);
	EXPECT_EQ(size("18446744073709551615"), ~0ull);
}

TEST(Units, WhatIsNotASizeIsRefusedAndNamed)
{
	for (const char *text : {"", "K", "-1", "4X", "4KB", "4 K", "1.", ".5", "1.2.3", "1.3B", "0.1", "16E",
				 "18446744073709551616", "4Kx", "0x10"}) {
		const Result<std::uint64_t> parsed = parse_size(text);
		ASSERT_FALSE(parsed) << text;
		EXPECT_EQ(parsed.error().code, Exit::usage);
		EXPECT_NE(parsed.error().text.find(std::string("'") + text + "'"), std::string::npos);
		EXPECT_FALSE(parsed.error().hint.empty());
	}
}

TEST(Units, Times)
{
	EXPECT_EQ(**parse_timeout("90"), 90u);
	EXPECT_EQ(**parse_timeout("90s"), 90u);
	EXPECT_EQ(**parse_timeout("5m"), 300u);
	EXPECT_EQ(**parse_timeout("1.5h"), 5400u);
	EXPECT_FALSE(parse_timeout("5d"));
	EXPECT_FALSE(parse_timeout("m"));
	EXPECT_FALSE(parse_timeout("")->has_value());
}

// Seen red: an interval of nothing that was taken; milliseconds taken for minutes.
TEST(Units, Intervals)
{
	EXPECT_EQ(*parse_interval_ms("2"), 2000u);
	EXPECT_EQ(*parse_interval_ms("500ms"), 500u);
	EXPECT_EQ(*parse_interval_ms("1.5s"), 1500u);
	EXPECT_EQ(*parse_interval_ms("2m"), 120000u);
	EXPECT_EQ(*parse_interval_ms("1h"), 3600000u);
	for (const char *text : {"0", "0ms", "", "ms", "-1", "1x", "0.5ms", "srv"}) {
		const Result<std::uint64_t> parsed = parse_interval_ms(text);
		ASSERT_FALSE(parsed) << text;
		EXPECT_EQ(parsed.error().code, Exit::usage);
		EXPECT_FALSE(parsed.error().hint.empty());
	}
}

TEST(Units, BytesHaveThreeDigits)
{
	EXPECT_EQ(format_bytes(0), "0 B");
	EXPECT_EQ(format_bytes(1023), "1023 B");
	EXPECT_EQ(format_bytes(4096), "4 KiB");
	EXPECT_EQ(format_bytes(1536), "1.50 KiB");
	EXPECT_EQ(format_bytes(12 * 1024 + 512), "12.5 KiB");
	EXPECT_EQ(format_bytes((300ull << 20) + 1), "300 MiB");
	EXPECT_EQ(format_bytes(~0ull), "16.0 EiB");
	EXPECT_EQ(format_sectors(2048), "1 MiB");
	EXPECT_EQ(format_sectors(~0ull), "16.0 EiB");
}

TEST(Units, Durations)
{
	EXPECT_EQ(format_ms(0), "0 ms");
	EXPECT_EQ(format_ms(999), "999 ms");
	EXPECT_EQ(format_ms(12540), "12.5 s");
	EXPECT_EQ(format_ms(185000), "3 min 05 s");
	EXPECT_EQ(format_ms(7800000), "2 h 10 min");
}

TEST(Units, PercentAndBarsStayInBounds)
{
	EXPECT_EQ(percent(0, 0), 0u);
	EXPECT_EQ(percent(5, 10), 50u);
	EXPECT_EQ(percent(20, 10), 100u);
	EXPECT_EQ(percent(~0ull - 1, ~0ull), 100u);
	EXPECT_EQ(format_bar(0, 100, 4), "[----]");
	EXPECT_EQ(format_bar(1, 100, 4), "[#---]");
	EXPECT_EQ(format_bar(50, 100, 4), "[##--]");
	EXPECT_EQ(format_bar(100, 100, 4), "[####]");
}

TEST(Units, AProgressLineHasRateAndTimeLeftOnceThereIsARate)
{
	constexpr std::uint64_t mib = 1 << 20;

	EXPECT_EQ(progress_line("v", 0, 8 * mib, 0), "v: 0 % of 8 MiB");
	EXPECT_EQ(progress_line("v", 2 * mib, 8 * mib, mib), "v: 25 % of 8 MiB, 1 MiB/s, 6.0 s left");
	EXPECT_EQ(progress_line("v", 9 * mib, 8 * mib, mib), "v: 100 % of 8 MiB, 1 MiB/s, 0 ms left");
	EXPECT_EQ(progress_line("v", 0, ~0ull, 1), "v: 0 % of 16.0 EiB, 1 B/s, 9999 h 00 min left");
}

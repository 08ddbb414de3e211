// SPDX-License-Identifier: GPL-2.0-only
//
// How far the home is behind, as jbdctl draws it and as programs read it.
// Seen red: a part that rounding makes disappear; a bar that is too long; what is held counted as on its way; an ETA under
// a stall; a picture that guesses what older modules do not say; a metric whose samples are torn apart by its neighbour's;
// a label that is not escaped; a key and a metric that docs/figures.md has not got, and one that is only there.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "../../ctl/lag.h"
#include "../../ctl/prometheus.h"

using namespace jbd;

namespace {

constexpr std::uint64_t mib = 2048;	// sectors

LagView view()
{
	LagView v{"srv", "/dev/sdb", "/dev/nvme0n1p3", {}, {{"max_lag_ms", "60000"}, {"high", "80"}}, {}, {}};
	JournalStatus &s = v.status;

	s.mode = "rw";
	s.home = "checkpointing";
	s.log_total = 1000 * mib;
	s.log_used = 500 * mib;
	s.parts = {100 * mib, 200 * mib, 4 * mib};
	s.tail_seq = 10, s.durable_seq = 20, s.head_seq = 21;
	s.home_epoch = 41, s.epoch = 120;
	s.rate = 25 * mib;
	s.lag_ms = 12345;
	s.dirty = 480 * mib;
	s.deferred_now = 3;
	s.marks = {{"one", 12}};
	CheckpointStatus h{};
	h.batches = {"strict", "consistent", 7, 0, 0, 0};
	v.home_status = h;
	return v;
}

LagView stalled(const std::string &reason)
{
	LagView v = view();

	v.status.home = "stalled";
	v.status.reason = reason;
	return v;
}

bool has(const std::string &text, const std::string &part)
{
	return text.find(part) != text.npos;
}

std::vector<std::string> lines_of(const std::string &text)
{
	std::istringstream in(text);
	std::vector<std::string> lines;

	for (std::string line; std::getline(in, line);)
		lines.push_back(line);
	return lines;
}

// What stands in the first column of the tables of docs/figures.md below the heading that has @part.
std::set<std::string> documented(const std::string &part)
{
	std::ifstream in(std::filesystem::path(__FILE__).parent_path() / "../../docs/figures.md");
	std::set<std::string> names;
	bool here = false;

	for (std::string line; std::getline(in, line);) {
		if (line.starts_with("## "))
			here = has(line, part);
		if (here && line.starts_with("| ") && !line.starts_with("| ---"))
			names.insert(line.substr(2, line.find(" |", 2) - 2));
	}
	names.erase("key");
	names.erase("metric");
	return names;
}

} // namespace

TEST(Lag, ThePicture)
{
	EXPECT_EQ(lag_picture(view()),
		  "srv: checkpointing, marked\n"
		  "  Log         [>>>>>##########===========+-----------------------------]\n"
		  "              50 % of 1000 MiB on /dev/nvme0n1p3 used\n"
		  "              > checkpointing   100 MiB  on its way home\n"
		  "              # lagging         196 MiB  durable in the log, not at home\n"
		  "              = held            200 MiB  kept from the home by a hold or a mark\n"
		  "              + uncommitted       4 MiB  in memory only until it is committed\n"
		  "              - free            500 MiB\n"
		  "  Lag         480 MiB in 79 epochs, oldest 12.3 s ago (lost if the log dies now); max_lag_ms is 60000\n"
		  "  Epochs      41 at home, 120 now: 79 behind\n"
		  "  Rate        25 MiB/s, 11.0 s left at that rate\n"
		  "  Home        /dev/sdb, home=consistent@41\n"
		  "  Order       strict, epoch after epoch: the home alone is what a disk could have crashed into\n"
		  "  Held        Checkpoints stop at the first mark; marks: one (record 12).\n"
		  "  Waiting     3 requests deferred now\n");
}

TEST(Lag, ThePartsAreTheWholeLog)
{
	std::uint64_t sum = 0;

	for (const LogPart &part : log_parts(view().status))
		sum += part.sectors;
	EXPECT_EQ(sum, view().status.log_total);
}

TEST(Lag, WhoHasASectorHasAColumnAndTheBarIsAsWideAsAsked)
{
	for (const std::vector<std::uint64_t> &sectors : {
		     std::vector<std::uint64_t>{0, 0, 0, 0, 1000}, {1, 1, 1, 1, 1000000}, {1000, 0, 0, 0, 0},
		     {333, 333, 333, 1, 0}, {1, 0, 1ull << 55, 1, 1}, {0, 0, 0, 0, 1}, {200, 200, 200, 200, 200}}) {
		std::vector<LogPart> parts;
		for (std::size_t i = 0; i < sectors.size(); i++)
			parts.push_back({"", ">#=+-"[i], "", sectors[i]});
		const std::string bar = parts_bar(parts, 20);
		EXPECT_EQ(bar.size(), 22u) << bar;
		for (const LogPart &part : parts)
			EXPECT_EQ(bar.find(part.drawn) != bar.npos, part.sectors > 0) << bar;
		EXPECT_TRUE(std::ranges::is_sorted(bar.substr(1, 20), {}, [](char c) { return std::string(">#=+-").find(c); })) << bar;
	}
	EXPECT_EQ(parts_bar({{"", '#', "", 0}}, 4), "[    ]");
}

TEST(Lag, WhatOlderModulesDoNotSayIsLeftOut)
{
	LagView v = view();
	v.status.parts = {};
	v.home_status = {};
	const std::string picture = lag_picture(v);
	const nlohmann::ordered_json json = lag_json(v);

	EXPECT_TRUE(has(picture, "# used            500 MiB  not at home\n"));
	for (const char *word : {"home=", "Order", "uncommitted", "> "})
		EXPECT_FALSE(has(picture, word)) << word;
	for (const char *key : {"checkpointing_bytes", "lagging_bytes", "held_bytes", "uncommitted_bytes"})
		EXPECT_TRUE(json["log"][key].is_null()) << key;
	EXPECT_EQ(json["log"]["free_bytes"], 500u << 20);
	EXPECT_TRUE(json["order"].is_null() && json["home_alone"].is_null());
}

TEST(Lag, TheTimeLeftIsThatOfWhatMayGoHome)
{
	LagView v = view();

	EXPECT_EQ(seconds_left(v.status), 11u) << "296 MiB at 25 a second: checkpointing and lagging";
	v.status.rate = 0;
	EXPECT_FALSE(seconds_left(v.status));
	v = view();
	v.status.parts->held = v.status.log_used;
	EXPECT_FALSE(seconds_left(v.status));
	EXPECT_TRUE(has(lag_picture(v), "nothing goes home now"));
	v.status.held = true;
	v.status.parts->held -= 512;
	v.status.parts->uncommitted = 512;
	EXPECT_FALSE(seconds_left(v.status)) << "what is in memory only comes behind the hold";
	EXPECT_FALSE(seconds_left(stalled("home-write:12").status));
	v = view();
	v.status.home = "clean";
	EXPECT_FALSE(seconds_left(v.status));
	EXPECT_EQ(v.status.epochs_behind(), 0u);
	EXPECT_TRUE(has(lag_picture(v), "none: the home has everything"));
}

TEST(Lag, LateIsSaidEverywhereWithItsLimitAndWhatToDo)
{
	LagView v = view();
	v.status.late = true;

	EXPECT_EQ(state_text(v.status, false), "checkpointing, marked, late");
	EXPECT_EQ(state_text(v.status, true), "checkpointing, marked, late, suspended");
	EXPECT_TRUE(has(lag_picture(v), "max_lag_ms is 60000: late\n"));
	EXPECT_TRUE(has(trouble(v)->next, "jbdctl checkpoint srv --release"));
	EXPECT_EQ(lag_json(v)["late"], true);
	EXPECT_EQ(lag_json(v)["max_lag_ms"], 60000u);
	EXPECT_TRUE(has(prometheus_text({v}, {}), "jbd_late{volume=\"srv\"} 1\n"));
	v.status.marks.clear();
	EXPECT_TRUE(has(trouble(v)->next, "/dev/sdb is slower"));
	v.status.late = false;
	EXPECT_FALSE(trouble(v));
	v.options = {{"max_lag_ms", "0"}};
	EXPECT_TRUE(lag_json(v)["max_lag_ms"].is_null());
	EXPECT_FALSE(has(lag_picture(v), "max_lag_ms"));
	EXPECT_FALSE(has(prometheus_text({v}, {}), "jbd_max_lag_seconds{"));
}

TEST(Lag, EachReasonIsExplainedWithTheNextStep)
{
	for (const char *reason : {"home-write:12", "home-fence:12", "log-unreadable:12", "no-memory:12", "batch_mib-too-small:12",
				   "no-intent-device:12", "intent-too-small:12", "log-write", "log-superblock", "hold-released",
				   "hold-full"}) {
		const std::optional<Trouble> found = trouble(stalled(reason));
		ASSERT_TRUE(found) << reason;
		EXPECT_TRUE(has(found->what, ": ")) << reason;
		EXPECT_GT(found->next.size(), 20u) << reason;
		EXPECT_FALSE(has(found->what + found->next, "{")) << reason;
		EXPECT_TRUE(has(lag_picture(stalled(reason)), "  Next        " + found->next + "\n"));
	}
	EXPECT_EQ(trouble(stalled("home-write:12"))->what, "home-write at record 12: /dev/sdb did not take a write");
	EXPECT_EQ(trouble(stalled("a-later-word:5"))->what, "a-later-word at record 5");
	EXPECT_TRUE(has(trouble(stalled("home-write:12"))->meanwhile, "Nothing is lost"));
	LagView dead = stalled("log-write");
	dead.status.mode = "error";
	EXPECT_TRUE(has(trouble(dead)->meanwhile, "Writes and flushes fail"));
	EXPECT_TRUE(has(trouble(dead)->next, "/dev/nvme0n1p3"));
}

TEST(Lag, TheIntentDeviceIsNamedWhenItIsTheOneThatFails)
{
	LagView v = stalled("home-write:12");
	v.intent = "/dev/sdc";
	v.home_status->last_error = "apply:-5";
	EXPECT_TRUE(has(trouble(v)->what, "/dev/sdb"));
	v.home_status->last_error = "intent:-5";
	EXPECT_TRUE(has(trouble(v)->what, "/dev/sdc"));
}

TEST(Lag, TheHomeAloneIsNamedByItsEpochOnlyIfItIsConsistent)
{
	LagView v = view();

	for (const char *state : {"torn", "applying"}) {
		v.home_status->batches->home = state;
		EXPECT_TRUE(has(lag_picture(v), std::string("/dev/sdb, home=") + state + "\n"));
		EXPECT_EQ(lag_json(v)["home_alone"], state);
	}
}

TEST(Lag, JsonIsOneLineAndHasEveryFigure)
{
	const std::string line = lag_json(stalled("home-write:12")).dump();
	const nlohmann::json json = nlohmann::json::parse(line);

	EXPECT_FALSE(has(line, "\n"));
	EXPECT_EQ(json["name"], "srv");
	EXPECT_EQ(json["state"], "stalled");
	EXPECT_EQ(json["lag_ms"], 12345u);
	EXPECT_EQ(json["lag_bytes"], 480u << 20);
	EXPECT_EQ(json["max_lag_ms"], 60000u);
	EXPECT_EQ(json["late"], false);
	EXPECT_EQ(json["rate_bytes_per_second"], 25u << 20);
	EXPECT_TRUE(json["eta_seconds"].is_null());
	EXPECT_EQ(json["epochs_behind"], 79u);
	EXPECT_EQ(json["order"], "strict");
	EXPECT_EQ(json["home_alone"], "consistent");
	EXPECT_EQ(json["epoch_at_home"], 41u);
	EXPECT_EQ(json["reason"], "home-write:12");
	EXPECT_TRUE(has(json["next_step"], "dmesg"));
	EXPECT_EQ(json["deferred_now"], 3u);
	EXPECT_EQ(json["log"]["total_bytes"], 1000u << 20);
	EXPECT_EQ(json["log"]["used_bytes"], 500u << 20);
	EXPECT_EQ(json["log"]["checkpointing_bytes"], 100u << 20);
	EXPECT_EQ(json["log"]["lagging_bytes"], 196u << 20);
	EXPECT_EQ(json["log"]["held_bytes"], 200u << 20);
	EXPECT_EQ(json["log"]["uncommitted_bytes"], 4u << 20);
	EXPECT_EQ(json["log"]["free_bytes"], 500u << 20);
	EXPECT_EQ(lag_json(view())["eta_seconds"], 11u);
}

TEST(Lag, EachKeyIsDocumented)
{
	const auto json = lag_json(view());
	std::set<std::string> keys;

	for (const auto &[key, value] : json.items())
		keys.insert(key);
	for (const auto &[key, value] : json["log"].items())
		keys.insert("log." + key);
	EXPECT_EQ(documented("checkpoint NAME --status --json"), keys);
}

TEST(Prometheus, EachMetricIsDocumented)
{
	std::set<std::string> metrics;

	for (const std::string &line : lines_of(prometheus_text({view()}, {})))
		if (line.starts_with("# TYPE "))
			metrics.insert(line.substr(7, line.find(' ', 7) - 7));
	EXPECT_EQ(documented("--prometheus"), metrics);
}

TEST(Prometheus, EachMetricIsDeclaredOnceAndItsSamplesFollow)
{
	LagView other = view();
	other.name = "a\"b\\c\nd";
	const std::vector<std::string> lines = lines_of(prometheus_text({view(), other}, {"half"}));
	std::set<std::string> seen;
	std::string metric;

	for (std::size_t i = 0; i < lines.size(); i++) {
		const std::string &line = lines[i];
		if (line.starts_with("# HELP ")) {
			metric = line.substr(7, line.find(' ', 7) - 7);
			EXPECT_TRUE(seen.insert(metric).second) << line;
			ASSERT_LT(i + 1, lines.size());
			EXPECT_TRUE(lines[i + 1].starts_with("# TYPE " + metric + " ")) << lines[i + 1];
			EXPECT_EQ(lines[i + 1].ends_with(" counter"), metric.ends_with("_total")) << lines[i + 1];
			i++;
		} else {
			EXPECT_TRUE(line.starts_with(metric + "{volume=\"")) << line;
		}
	}
	for (const char *counter : journal_counters)
		EXPECT_TRUE(seen.count(std::string("jbd_") + counter + "_total")) << counter;
}

TEST(Prometheus, TheFiguresOfAnAlert)
{
	LagView other = view();
	other.name = "a\"b\\c\nd";
	other.status.home = "stalled";
	other.status.counters[0] = 77;
	const std::string text = prometheus_text({view(), other}, {"half"});

	for (const char *line : {
		     "jbd_up{volume=\"srv\"} 1", "jbd_up{volume=\"half\"} 0", "jbd_lag_seconds{volume=\"srv\"} 12.345",
		     "jbd_max_lag_seconds{volume=\"srv\"} 60.000", "jbd_late{volume=\"srv\"} 0", "jbd_lag_bytes{volume=\"srv\"} 503316480",
		     "jbd_epochs_behind{volume=\"srv\"} 79", "jbd_log_bytes{volume=\"srv\"} 1048576000",
		     "jbd_log_used_bytes{volume=\"srv\"} 524288000", "jbd_log_part_bytes{volume=\"srv\",part=\"held\"} 209715200",
		     "jbd_checkpoint_rate_bytes_per_second{volume=\"srv\"} 26214400", "jbd_deferred_now{volume=\"srv\"} 3",
		     "jbd_marks{volume=\"srv\"} 1", "jbd_home_alone{volume=\"srv\",state=\"consistent\"} 1",
		     "jbd_home_alone{volume=\"srv\",state=\"torn\"} 0", "jbd_checkpoint_state{volume=\"srv\",state=\"stalled\"} 0",
		     "jbd_checkpoint_state{volume=\"a\\\"b\\\\c\\nd\",state=\"stalled\"} 1", "jbd_mode{volume=\"srv\",state=\"rw\"} 1",
		     "jbd_reads_total{volume=\"a\\\"b\\\\c\\nd\"} 77"})
		EXPECT_TRUE(has("\n" + text, "\n" + std::string(line) + "\n")) << line;
}

TEST(Prometheus, AStateThatIsNotKnownIsShown)
{
	LagView v = view();
	v.status.home = "later";

	EXPECT_TRUE(has(prometheus_text({v}, {}), "jbd_checkpoint_state{volume=\"srv\",state=\"later\"} 1\n"));
}

// SPDX-License-Identifier: GPL-2.0-only
//
// Table lines and status lines as jbdctl writes and reads them.
#include <gtest/gtest.h>

#include "../../ctl/table.h"

using namespace jbd;

namespace {

const std::string good_status =
	"rw lagging 1200/6144 10:20:30 4:7 25 800 1500 96 2 4096/1048576 1024 "
	"1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 - held,mark:one:12,mark:a.b-c:4294967300";

std::vector<std::string> words_of(const std::string &line)
{
	std::vector<std::string> words;

	for (std::size_t at = 0; at < line.size();) {
		const std::size_t end = std::min(line.find(' ', at), line.size());
		words.push_back(line.substr(at, end - at));
		at = end + 1;
	}
	return words;
}

std::string join(const std::vector<std::string> &words)
{
	std::string line;

	for (const std::string &word : words)
		line += (line.empty() ? "" : " ") + word;
	return line;
}

} // namespace

TEST(Table, LinesAreWhatTheTargetsTake)
{
	const CheckpointTable home{2048, "/dev/sdb", {}};
	const JournalTable plain{2048, "/dev/mapper/v-home", "/dev/sdc", {}};
	const JournalTable full{2048, "/dev/mapper/v-home", "/dev/sdc", {{"flush", "home"}, {"high", "80"}}};

	EXPECT_EQ(home.line(), "0 2048 checkpoint /dev/sdb");
	EXPECT_EQ(plain.line(), "0 2048 journal /dev/mapper/v-home /dev/sdc");
	EXPECT_EQ(full.line(), "0 2048 journal /dev/mapper/v-home /dev/sdc 4 flush home high 80");
	EXPECT_EQ((CheckpointTable{8, "/dev/sdb", {{"depth", "64"}}}.line()), "0 8 checkpoint /dev/sdb 2 depth 64");
	EXPECT_EQ((CheckpointTable{8, "/dev/sdb", {{"intent", "/dev/sdd"}, {"depth", "64"}}}.line()),
		  "0 8 checkpoint /dev/sdb 4 intent /dev/sdd depth 64");
}

TEST(Table, WhatIsPrintedIsReadBack)
{
	for (const std::vector<Option> &options : {std::vector<Option>{}, std::vector<Option>{{"low", "10"}},
						   std::vector<Option>{{"low", "10"}, {"flush", "log"}}}) {
		const JournalTable table{77, "254:0", "8:16", options};
		const Result<JournalTable> again = parse_journal_table(77, table.params());
		ASSERT_TRUE(again);
		EXPECT_EQ(again->line(), table.line());
		EXPECT_EQ(again->options, options);

		const CheckpointTable home{77, "8:32", options};
		const Result<CheckpointTable> home_again = parse_checkpoint_table(77, home.params());
		ASSERT_TRUE(home_again);
		EXPECT_EQ(home_again->line(), home.line());
	}
}

TEST(Table, TheKernelMayPrintACountOfZero)
{
	const Result<JournalTable> table = parse_journal_table(8, "254:0 8:16 0");

	ASSERT_TRUE(table);
	EXPECT_EQ(table->log, "8:16");
	EXPECT_TRUE(table->options.empty());
}

TEST(Table, BrokenTablesAreRefused)
{
	for (const char *params : {"", "254:0", "254:0 8:16 x", "254:0 8:16 1 flush", "254:0 8:16 2 flush",
				   "254:0 8:16 2 flush log more"})
		EXPECT_FALSE(parse_journal_table(8, params)) << params;
}

TEST(Table, OptionsGoToTheTargetThatTakesThem)
{
	Options options;

	ASSERT_TRUE(add_option(options, "flush=home"));
	ASSERT_TRUE(add_option(options, "depth=16"));
	ASSERT_TRUE(add_option(options, "max_lag_ms=0"));
	ASSERT_TRUE(add_option(options, "flush=log"));
	ASSERT_TRUE(add_option(options, "batch_mib=8"));
	EXPECT_EQ(options.journal, (std::vector<Option>{{"flush", "log"}, {"max_lag_ms", "0"}, {"batch_mib", "8"}}));
	EXPECT_EQ(options.checkpoint, (std::vector<Option>{{"depth", "16"}}));
}

TEST(Table, UnknownOptionsAndBadValuesAreNamed)
{
	for (const char *word : {"colour=blue", "", "=1", "high", "high=", "high=x", "high=-1", "flush=both", "depth=1k",
				 "high=1=2", "high=1 2"}) {
		Options options;
		const Result<> added = add_option(options, word);
		ASSERT_FALSE(added) << word;
		EXPECT_EQ(added.error().code, Exit::usage);
		EXPECT_FALSE(added.error().hint.empty());
		EXPECT_TRUE(options.journal.empty() && options.checkpoint.empty());
	}
}

TEST(Status, JournalFieldsAreWhereTheyBelong)
{
	const Result<JournalStatus> s = parse_journal_status(good_status);

	ASSERT_TRUE(s);
	EXPECT_EQ(s->mode, "rw");
	EXPECT_EQ(s->home, "lagging");
	EXPECT_EQ(s->log_used, 1200u);
	EXPECT_EQ(s->log_total, 6144u);
	EXPECT_EQ(s->tail_seq, 10u);
	EXPECT_EQ(s->durable_seq, 20u);
	EXPECT_EQ(s->head_seq, 30u);
	EXPECT_EQ(s->home_epoch, 4u);
	EXPECT_EQ(s->epoch, 7u);
	EXPECT_EQ(s->epochs_behind(), 3u);
	EXPECT_EQ(s->target_seq, 25u);
	EXPECT_EQ(s->rate, 800u);
	EXPECT_EQ(s->lag_ms, 1500u);
	EXPECT_EQ(s->dirty, 96u);
	EXPECT_EQ(s->deferred_now, 2u);
	EXPECT_EQ(s->index_used, 4096u);
	EXPECT_EQ(s->index_cap, 1048576u);
	EXPECT_EQ(s->atomic_kib, 1024u);
	for (std::size_t i = 0; i < s->counters.size(); i++)
		EXPECT_EQ(s->counters[i], i + 1) << journal_counters[i];
	EXPECT_FALSE(s->reason);
	EXPECT_TRUE(s->held);
	ASSERT_EQ(s->marks.size(), 2u);
	EXPECT_EQ(s->marks[0].name, "one");
	EXPECT_EQ(s->marks[0].seq, 12u);
	EXPECT_EQ(s->marks[1].name, "a.b-c");
	EXPECT_EQ(s->marks[1].seq, 4294967300u);
}

TEST(Status, JournalDashesAndLaterWordsAreTaken)
{
	std::vector<std::string> words = words_of(good_status);
	words[5] = "-";
	words.back() = "-";
	words.end()[-2] = "home-write";
	words.push_back("from-a-later-version");
	const Result<JournalStatus> s = parse_journal_status(join(words));

	ASSERT_TRUE(s);
	EXPECT_FALSE(s->target_seq);
	EXPECT_EQ(s->reason, "home-write");
	EXPECT_FALSE(s->held);
	EXPECT_TRUE(s->marks.empty());
}

TEST(Status, JournalLinesThatAreTooShortOrNoNumbersAreRefused)
{
	const std::vector<std::string> words = words_of(good_status);

	for (std::size_t n = 0; n < words.size(); n++)
		EXPECT_FALSE(parse_journal_status(join({words.begin(), words.begin() + static_cast<std::ptrdiff_t>(n)}))) << n;
	for (std::size_t n = 2; n + 2 < words.size(); n++) {
		std::vector<std::string> broken = words;
		broken[n] = "x";
		EXPECT_FALSE(parse_journal_status(join(broken))) << n;
	}
	for (const char *hold : {"x", "mark", "mark:one", "mark:one:", "mark:one:x", "mark:one:1,x", "hold:one:1"}) {
		std::vector<std::string> broken = words;
		broken.back() = hold;
		EXPECT_FALSE(parse_journal_status(join(broken))) << hold;
	}
	EXPECT_FALSE(parse_journal_status("Fail"));
}

// Seen red: two parts exchanged; the parts asked for although they are not there.
TEST(Status, JournalWordsThatOlderModulesDoNotSay)
{
	const Result<JournalStatus> old = parse_journal_status(good_status), late = parse_journal_status(good_status + " late"),
		all = parse_journal_status(good_status + " - 100:200:300"),
		more = parse_journal_status(good_status + " late 100:200:300 later");

	ASSERT_TRUE(old && late && all && more);
	EXPECT_FALSE(old->late);
	EXPECT_TRUE(late->late);
	EXPECT_FALSE(old->parts || late->parts);
	EXPECT_FALSE(all->late);
	ASSERT_TRUE(all->parts);
	EXPECT_EQ(all->parts->checkpointing, 100u);
	EXPECT_EQ(all->parts->held, 200u);
	EXPECT_EQ(all->parts->uncommitted, 300u);
	EXPECT_TRUE(more->late && more->parts);
	for (const char *parts : {" - 100", " - 100:200", " - 100:200:", " - 100:x:300", " - :200:300"})
		EXPECT_FALSE(parse_journal_status(good_status + parts)) << parts;
}

TEST(Status, CheckpointFieldsAreWhereTheyBelong)
{
	const Result<CheckpointStatus> s = parse_checkpoint_status("fencing 1 2 3 4 5 6 7 8 9 10 write:-5");

	ASSERT_TRUE(s);
	EXPECT_EQ(s->state, "fencing");
	EXPECT_EQ(s->fences, 1u);
	EXPECT_EQ(s->fences_failed, 2u);
	EXPECT_EQ(s->writes, 3u);
	EXPECT_EQ(s->write_sectors, 4u);
	EXPECT_EQ(s->discards, 5u);
	EXPECT_EQ(s->reads, 6u);
	EXPECT_EQ(s->in_flight, 7u);
	EXPECT_EQ(s->queued, 8u);
	EXPECT_EQ(s->held, 9u);
	EXPECT_EQ(s->write_errors, 10u);
	EXPECT_EQ(s->last_error, "write:-5");
	EXPECT_FALSE(s->batches);
	EXPECT_FALSE(parse_checkpoint_status("idle 1 2 3"));
}

// Seen red: a field left out, and two exchanged; the words asked for although they are not there.
TEST(Status, CheckpointWordsOfBatchesAreTakenIfTheyAreThere)
{
	const std::string before = "idle 1 2 3 4 5 6 7 8 9 10 -", line = before + " intent applying 11 12 13 14";
	const Result<CheckpointStatus> s = parse_checkpoint_status(line), more = parse_checkpoint_status(line + " later");

	ASSERT_TRUE(s);
	ASSERT_TRUE(s->batches);
	EXPECT_FALSE(s->last_error);
	EXPECT_EQ(s->batches->order, "intent");
	EXPECT_EQ(s->batches->home, "applying");
	EXPECT_EQ(s->batches->batches, 11u);
	EXPECT_EQ(s->batches->failed, 12u);
	EXPECT_EQ(s->batches->intent_sectors, 13u);
	EXPECT_EQ(s->batches->applied_sectors, 14u);
	EXPECT_TRUE(more && more->batches);
	for (const char *end : {" intent", " intent applying", " intent applying 11 12 13", " intent applying 11 x 13 14"})
		EXPECT_FALSE(parse_checkpoint_status(before + end)) << end;
}

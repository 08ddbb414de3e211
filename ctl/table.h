// SPDX-License-Identifier: GPL-2.0-only
//
// The grammar of table lines and status lines of both targets.
//
// Always true: this is the only place that knows in which order the words come.
// A status line may have more words than are known here (it is append-only), never
// fewer. Crashes leave nothing here.
#ifndef JBDCTL_TABLE_H
#define JBDCTL_TABLE_H

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "result.h"

namespace jbd {

struct Option {
	std::string key, value;

	bool operator==(const Option &) const = default;
};

// The options of a volume, each with the target that takes it.
struct Options {
	std::vector<Option> journal, checkpoint;
};

// "key=value" as given to --opt; refuses keys that no target has, and values that it would not take.
Result<> add_option(Options &options, std::string_view word);
// What the journal makes of this key, which is one of its numbers, given or not.
std::uint64_t journal_number(const Options &options, std::string_view key);

// NAME-home: 0 <sectors> checkpoint <home> [<#opt> [<key> <value>]...]; intent and order are keys
struct CheckpointTable {
	std::uint64_t sectors;
	std::string home;
	std::vector<Option> options;

	std::string params() const;	// what follows the target's name
	std::string line() const;
};

// NAME: 0 <sectors> journal <checkpoint dev> <log> [<#opt> [<key> <value>]...]
struct JournalTable {
	std::uint64_t sectors;
	std::string checkpoint, log;
	std::vector<Option> options;

	std::string params() const;
	std::string line() const;
};

Result<CheckpointTable> parse_checkpoint_table(std::uint64_t sectors, std::string_view params);
Result<JournalTable> parse_journal_table(std::uint64_t sectors, std::string_view params);

// The counters at the end of a journal's status, in order; names as in --json.
inline constexpr std::array<const char *, 19> journal_counters = {
	"reads", "reads_from_staging", "reads_from_log",
	"writes", "write_sectors", "flushes", "flushes_elided", "fua_writes", "discards", "deferred",
	"log_writes", "log_sectors", "log_preflushes",
	"batches", "home_writes", "home_sectors", "fences",
	"log_errors", "home_errors",
};

struct JournalStatus {
	std::string mode;		// rw, error, new
	std::string home;		// clean, lagging, checkpointing, stalled
	std::uint64_t log_used, log_total;	// sectors
	std::uint64_t tail_seq, durable_seq, head_seq;
	std::uint64_t home_epoch, epoch;
	std::optional<std::uint64_t> target_seq;
	std::uint64_t rate;		// sectors/s
	std::uint64_t lag_ms;
	std::uint64_t dirty;		// sectors
	std::uint64_t deferred_now;
	std::uint64_t index_used, index_cap;	// bytes
	std::uint64_t atomic_kib;
	std::array<std::uint64_t, journal_counters.size()> counters;
	std::optional<std::string> reason;
	bool held;
	struct Mark {
		std::string name;
		std::uint64_t seq;
	};
	std::vector<Mark> marks;
	bool late = false;		// the lag exceeds max_lag_ms

	// Sectors of log_used. Older modules do not say it.
	struct Parts {
		std::uint64_t checkpointing, held, uncommitted;
	};
	std::optional<Parts> parts;

	std::uint64_t epochs_behind() const { return home != "clean" && epoch > home_epoch ? epoch - home_epoch : 0; }
};

struct CheckpointStatus {
	std::string state;		// idle, writing, fencing, error
	std::uint64_t fences, fences_failed, writes, write_sectors, discards, reads;
	std::uint64_t in_flight, queued, held;
	std::uint64_t write_errors;
	std::optional<std::string> last_error;

	// Modules of version 1.0 do not say it.
	struct Batches {
		std::string order;	// strict, relaxed, intent
		std::string home;	// consistent, applying, torn
		std::uint64_t batches, failed;
		std::uint64_t intent_sectors, applied_sectors;
	};
	std::optional<Batches> batches;
};

Result<JournalStatus> parse_journal_status(std::string_view line);
Result<CheckpointStatus> parse_checkpoint_status(std::string_view line);

} // namespace jbd

#endif

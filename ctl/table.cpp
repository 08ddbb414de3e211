// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: what params() prints, parse_*_table() reads back to the same, and the
// kernel takes either. Crashes leave nothing here.
#include "table.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "core.h"

namespace jbd {

namespace {

struct Number {
	std::string_view key;
	std::uint64_t usual, least, most;
};
#define NUMBER(name, value, min, max) {#name, value, min, max},
constexpr Number journal_numbers[] = {JOURNAL_NUMBERS(NUMBER)}, checkpoint_numbers[] = {CHECKPOINT_NUMBERS(NUMBER)};
#undef NUMBER
// Options of the journal whose value is one of two words.
struct Choice {
	std::string_view key, first, second;
};
constexpr Choice journal_choices[] = {{"flush", "log", "home"}, {"on_hold_full", "release", "error"}};

bool is_number(std::string_view text)
{
	return !text.empty() && text.size() <= 20 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Takes a line apart, word by word. The first mistake sticks; later words are empty.
class Words {
public:
	explicit Words(std::string_view line) : rest_(line) {}

	std::string_view word(char end = ' ')
	{
		rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size()));
		const std::size_t stop = std::min(rest_.find(end), rest_.size());
		const std::string_view word = rest_.substr(0, stop);
		rest_.remove_prefix(std::min(stop + (end == ' ' ? 0 : 1), rest_.size()));
		if (word.empty())
			failed_ = true;
		return failed_ ? std::string_view{} : word;
	}
	std::string text() { return std::string(word()); }
	// A number that ends at @end; ' ' stands for the end of the word.
	std::uint64_t number(char end = ' ')
	{
		const std::string_view digits = word(end);
		std::uint64_t value = 0;
		const char *last = digits.data() + digits.size();
		auto [stop, status] = std::from_chars(digits.data(), last, value);
		if (digits.empty() || status != std::errc{} || stop != last)
			failed_ = true;
		return value;
	}
	// A word, or "-" for none.
	std::optional<std::string> maybe()
	{
		const std::string_view text = word();
		return text == "-" || text.empty() ? std::nullopt : std::optional<std::string>(text);
	}
	bool more() const { return rest_.find_first_not_of(' ') != rest_.npos; }
	bool failed() const { return failed_; }

private:
	std::string_view rest_;
	bool failed_ = false;
};

Error bad_line(std::string_view what, std::string_view line)
{
	return {Exit::kernel, fmt::format("the kernel's {} '{}' cannot be understood", what, line),
		"The modules and jbdctl are of different versions: install both from the same release."};
}

std::string option_words(const std::vector<Option> &options)
{
	if (options.empty())
		return {};
	std::string words = fmt::format(" {}", 2 * options.size());
	for (const Option &option : options)
		words += fmt::format(" {} {}", option.key, option.value);
	return words;
}

// [<#opt> [<key> <value>]...]
bool parse_options(Words &words, std::vector<Option> &options)
{
	if (!words.more())
		return true;
	const std::uint64_t count = words.number();
	if (count % 2)
		return false;
	for (std::uint64_t i = 0; i < count && !words.failed(); i += 2) {
		Option option{words.text(), {}};
		option.value = words.text();
		options.push_back(std::move(option));
	}
	return !words.failed() && !words.more();
}

// nullptr if there is none.
template <typename T, std::size_t N>
const T *find_key(const T (&options)[N], std::string_view key)
{
	const T *found = std::ranges::find(options, key, &T::key);

	return found == std::end(options) ? nullptr : found;
}

Error unknown_option(std::string_view key)
{
	std::vector<std::string_view> known;

	for (const Choice &option : journal_choices)
		known.push_back(option.key);
	for (const Number &option : journal_numbers)
		known.push_back(option.key);
	for (const Number &option : checkpoint_numbers)
		known.push_back(option.key);
	return {Exit::usage, fmt::format("unknown option '{}'", key), fmt::format("Options are: {}.", fmt::join(known, ", "))};
}

} // namespace

Result<> add_option(Options &options, std::string_view word)
{
	const std::size_t equals = word.find('=');
	const std::string_view key = word.substr(0, equals);
	const std::string_view value = equals == word.npos ? std::string_view{} : word.substr(equals + 1);
	const Choice *choice = find_key(journal_choices, key);
	const Number *journal = find_key(journal_numbers, key);
	const Number *number = journal ? journal : find_key(checkpoint_numbers, key);

	if (!choice && !number)
		return unknown_option(key);
	if (choice && value != choice->first && value != choice->second)
		return Error{Exit::usage, fmt::format("option '{}' has the value '{}'", key, value),
			     fmt::format("It is {0}={1} or {0}={2}.", key, choice->first, choice->second)};
	std::string text(value);
	if (number) {
		std::uint64_t parsed = 0;
		const auto [stop, status] = std::from_chars(value.data(), value.data() + value.size(), parsed);
		if (status != std::errc{} || stop != value.data() + value.size() || parsed < number->least || parsed > number->most)
			return Error{Exit::usage, fmt::format("option '{}' has the value '{}'", key, value),
				     fmt::format("It is a number from {} to {}.", number->least, number->most)};
		text = std::to_string(parsed);
	}
	std::vector<Option> &list = choice || journal ? options.journal : options.checkpoint;
	const auto same = std::ranges::find(list, key, &Option::key);
	if (same != list.end())
		same->value = text;
	else
		list.push_back({std::string(key), text});
	return done();
}

std::uint64_t journal_number(const Options &options, std::string_view key)
{
	const auto given = std::ranges::find(options.journal, key, &Option::key);

	return given == options.journal.end() ? find_key(journal_numbers, key)->usual : std::stoull(given->value);
}

std::string CheckpointTable::params() const
{
	return home + option_words(options);
}

std::string CheckpointTable::line() const
{
	return fmt::format("0 {} checkpoint {}", sectors, params());
}

std::string JournalTable::params() const
{
	return fmt::format("{} {}{}", checkpoint, log, option_words(options));
}

std::string JournalTable::line() const
{
	return fmt::format("0 {} journal {}", sectors, params());
}

Result<CheckpointTable> parse_checkpoint_table(std::uint64_t sectors, std::string_view params)
{
	Words words(params);
	CheckpointTable table{sectors, words.text(), {}};

	if (!parse_options(words, table.options) || words.failed())
		return bad_line("checkpoint table", params);
	return table;
}

Result<JournalTable> parse_journal_table(std::uint64_t sectors, std::string_view params)
{
	Words words(params);
	JournalTable table{sectors, words.text(), {}, {}};

	table.log = words.text();
	if (!parse_options(words, table.options) || words.failed())
		return bad_line("journal table", params);
	return table;
}

// held,mark:<name>:<record>,...
static bool parse_hold(std::string_view text, JournalStatus &s)
{
	s.held = false;
	while (!text.empty()) {
		const std::size_t comma = std::min(text.find(','), text.size());
		Words word(text.substr(0, comma));
		if (text.substr(0, comma) == "held") {
			s.held = true;
		} else {
			if (word.word(':') != "mark")
				return false;
			JournalStatus::Mark mark{std::string(word.word(':')), 0};
			mark.seq = word.number();
			if (word.failed() || word.more())
				return false;
			s.marks.push_back(std::move(mark));
		}
		text.remove_prefix(std::min(comma + 1, text.size()));
	}
	return true;
}

Result<JournalStatus> parse_journal_status(std::string_view line)
{
	Words words(line);
	JournalStatus s;

	s.mode = words.text();
	s.home = words.text();
	s.log_used = words.number('/');
	s.log_total = words.number();
	s.tail_seq = words.number(':');
	s.durable_seq = words.number(':');
	s.head_seq = words.number();
	s.home_epoch = words.number(':');
	s.epoch = words.number();
	const std::optional<std::string> target = words.maybe();
	if (target)
		s.target_seq = Words(*target).number();
	s.rate = words.number();
	s.lag_ms = words.number();
	s.dirty = words.number();
	s.deferred_now = words.number();
	s.index_used = words.number('/');
	s.index_cap = words.number();
	s.atomic_kib = words.number();
	for (std::uint64_t &counter : s.counters)
		counter = words.number();
	s.reason = words.maybe();
	const bool hold = parse_hold(words.maybe().value_or(""), s);
	s.late = words.more() && words.maybe() == "late";
	if (words.more()) {
		JournalStatus::Parts parts;
		parts.checkpointing = words.number(':');
		parts.held = words.number(':');
		parts.uncommitted = words.number();
		s.parts = parts;
	}
	if (words.failed() || (target && !is_number(*target)) || !hold)
		return bad_line("journal status", line);
	return s;
}

Result<CheckpointStatus> parse_checkpoint_status(std::string_view line)
{
	Words words(line);
	CheckpointStatus s;

	s.state = words.text();
	for (std::uint64_t *field : {&s.fences, &s.fences_failed, &s.writes, &s.write_sectors, &s.discards,
				     &s.reads, &s.in_flight, &s.queued, &s.held, &s.write_errors})
		*field = words.number();
	s.last_error = words.maybe();
	if (words.more()) {
		CheckpointStatus::Batches b;
		b.order = words.text();
		b.home = words.text();
		for (std::uint64_t *field : {&b.batches, &b.failed, &b.intent_sectors, &b.applied_sectors})
			*field = words.number();
		s.batches = b;
	}
	if (words.failed())
		return bad_line("checkpoint status", line);
	return s;
}

} // namespace jbd

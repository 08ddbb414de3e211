// SPDX-License-Identifier: GPL-2.0-only
//
// Always true: no size or time overflows in here; it is refused or cut at the
// greatest value instead. Crashes leave nothing here.
#include "units.h"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <ctime>
#include <limits>

namespace jbd {

// A number with a unit: @scale gives the unit's factor, 0 if it is unknown.
template <typename Scale>
static Result<std::uint64_t> parse_scaled(std::string_view text, std::string_view what,
					  std::string_view examples, Scale scale)
{
	const Error error{Exit::usage, fmt::format("'{}' is not a {}", text, what),
			  fmt::format("Write it like {}.", examples)};
	const char *end = text.data() + text.size();

	std::uint64_t whole = 0;
	auto [rest, status] = std::from_chars(text.data(), end, whole);
	if (status != std::errc{})
		return error;
	double fraction = 0;
	if (rest != end && *rest == '.') {
		const char *digits = ++rest;
		double place = 0.1;
		for (; rest != end && *rest >= '0' && *rest <= '9'; rest++, place /= 10)
			fraction += (*rest - '0') * place;
		if (rest == digits)
			return error;
	}
	const std::uint64_t factor = scale(std::string_view(rest, end - rest));
	if (!factor || whole > std::numeric_limits<std::uint64_t>::max() / factor)
		return error;
	const double part = fraction * static_cast<double>(factor);
	if (part != 0 && std::abs(part - std::round(part)) > 1e-6 * part)
		return error;
	const std::uint64_t extra = static_cast<std::uint64_t>(std::llround(part));
	if (whole * factor > std::numeric_limits<std::uint64_t>::max() - extra)
		return error;
	return whole * factor + extra;
}

Result<std::uint64_t> parse_size(std::string_view text)
{
	return parse_scaled(text, "size", "512, 4K, 1.5G or 2TiB", [](std::string_view unit) {
		static constexpr std::string_view letters = "BKMGTPE";

		if (unit.empty())
			return std::uint64_t{1};
		const std::size_t power = letters.find(static_cast<char>(unit[0] & ~0x20));
		const std::string_view tail = unit.substr(1);
		if (power == letters.npos || !(tail.empty() || (power && (tail == "iB" || tail == "ib"))))
			return std::uint64_t{0};
		return std::uint64_t{1} << (10 * power);
	});
}

Result<std::uint64_t> parse_number(std::string_view text)
{
	return parse_scaled(text, "number", "64", [](std::string_view unit) { return std::uint64_t{unit.empty()}; });
}

// Clocks count nanoseconds in 63 bits.
static Result<std::uint64_t> at_most_a_year(const Result<std::uint64_t> &parsed, std::uint64_t per_second)
{
	constexpr std::uint64_t year = 365 * 86400;

	return parsed ? Result(std::min(*parsed, year * per_second)) : parsed;
}

Result<std::optional<std::uint64_t>> parse_timeout(std::string_view text)
{
	if (text.empty())
		return std::optional<std::uint64_t>();
	const Result<std::uint64_t> seconds = at_most_a_year(parse_scaled(text, "time", "90, 90s, 5m or 2h", [](std::string_view unit) {
		if (unit.empty() || unit == "s")
			return std::uint64_t{1};
		if (unit == "m" || unit == "min")
			return std::uint64_t{60};
		return std::uint64_t{unit == "h" ? 3600u : 0u};
	}), 1);
	if (!seconds)
		return seconds.error();
	return std::optional(*seconds);
}

Result<std::uint64_t> parse_interval_ms(std::string_view text)
{
	const Result<std::uint64_t> ms = parse_scaled(text, "time", "2, 500ms, 1.5s or 1m", [](std::string_view unit) {
		if (unit == "ms")
			return std::uint64_t{1};
		if (unit.empty() || unit == "s")
			return std::uint64_t{1000};
		if (unit == "m" || unit == "min")
			return std::uint64_t{60000};
		return std::uint64_t{unit == "h" ? 3600000u : 0u};
	});
	if (ms && !*ms)
		return Error{Exit::usage, fmt::format("an interval cannot be {}", text), "Write it like 2, 500ms, 1.5s or 1m."};
	return at_most_a_year(ms, 1000);
}

std::string format_bytes(std::uint64_t bytes)
{
	static constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned power = 0;

	while (power + 1 < units.size() && bytes >> (10 * (power + 1)))
		power++;
	const std::uint64_t unit = std::uint64_t{1} << (10 * power);
	if (bytes % unit == 0)
		return fmt::format("{} {}", bytes / unit, units[power]);
	const double value = static_cast<double>(bytes) / static_cast<double>(unit);
	return fmt::format("{:.{}f} {}", value, value < 10 ? 2 : value < 100 ? 1 : 0, units[power]);
}

std::string format_sectors(std::uint64_t sectors)
{
	const std::uint64_t most = std::numeric_limits<std::uint64_t>::max() / 512;

	return format_bytes((sectors < most ? sectors : most) * 512);
}

std::string format_ms(std::uint64_t ms)
{
	const std::uint64_t s = ms / 1000;

	if (ms < 1000)
		return fmt::format("{} ms", ms);
	if (s < 60)
		return fmt::format("{}.{} s", s, ms % 1000 / 100);
	if (s < 3600)
		return fmt::format("{} min {:02} s", s / 60, s % 60);
	return fmt::format("{} h {:02} min", s / 3600, s % 3600 / 60);
}

std::string format_time(std::uint64_t ms_since_1970)
{
	return fmt::format("{:%Y-%m-%d %H:%M:%S}",
			   fmt::localtime(static_cast<std::time_t>(ms_since_1970 / 1000)));
}

unsigned percent(std::uint64_t part, std::uint64_t whole)
{
	if (!whole || part >= whole)
		return whole ? 100 : 0;
	return static_cast<unsigned>(static_cast<double>(part) * 100 / static_cast<double>(whole));
}

std::string format_bar(std::uint64_t part, std::uint64_t whole, unsigned width)
{
	unsigned filled = percent(part, whole) * width / 100;

	if (part && !filled)
		filled = 1;
	return '[' + std::string(filled, '#') + std::string(width - filled, '-') + ']';
}

} // namespace jbd

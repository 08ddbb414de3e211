/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Violations as they are found: the first few of each rule are told in full, all are counted.
 */
#ifndef TRACE_REPORT_H
#define TRACE_REPORT_H

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>

namespace trace {

class Report {
public:
	void violate(const std::string &rule, const std::string &text)
	{
		if (count[rule]++ < SHOWN)
			std::printf("# %s: %s\n", rule.c_str(), text.c_str());
	}

	uint64_t violations() const
	{
		uint64_t n = 0;

		for (const auto &[rule, times] : count)
			n += times;
		return n;
	}

	/* Rules and how often each was violated. */
	std::string summary() const
	{
		std::string text;

		for (const auto &[rule, times] : count)
			text += (text.empty() ? "" : ", ") + rule + " " + std::to_string(times);
		return text.empty() ? "none" : text;
	}

private:
	static constexpr unsigned SHOWN = 3;
	std::map<std::string, uint64_t> count;
};

} /* namespace trace */

#endif

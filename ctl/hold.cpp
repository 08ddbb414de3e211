// SPDX-License-Identifier: GPL-2.0-only
//
// Crashes leave nothing here.
#include "hold.h"

#include <fmt/core.h>

namespace jbd {

static std::string names(const JournalStatus &s)
{
	std::string text;

	for (const JournalStatus::Mark &mark : s.marks)
		text += fmt::format("{}{} (record {})", text.empty() ? "" : ", ", mark.name, mark.seq);
	return text;
}

Result<> check_mark_name(const std::string &name)
{
	if (jmark_name_ok(name.c_str()))
		return done();
	return Error{Exit::usage, fmt::format("'{}' cannot be the name of a mark", name),
		     fmt::format("Use up to {} letters, digits and any of ._+-.", JMARK_NAME_MAX)};
}

std::string hold_text(const JournalStatus &s)
{
	if (!s.held && s.marks.empty())
		return "Nothing holds checkpoints back.";
	return fmt::format("{}{}{}.", s.held ? "Checkpoints are held" : "Checkpoints stop at the first mark",
			   s.marks.empty() ? "" : "; marks: ", names(s));
}

Result<> check_not_held(const std::string &name, const JournalStatus &s)
{
	if (!s.held && s.marks.empty())
		return done();
	return Error{Exit::busy, fmt::format("{}: the home does not get everything: {}", name, hold_text(s)),
		     fmt::format("'jbdctl checkpoint {0} --release' keeps what was written since, 'jbdctl rollback {0} MARK' gives it up.",
				 name)};
}

Result<> check_not_held(const std::string &log, const jsuper &super)
{
	if (!jmark_any(&super))
		return done();
	return Error{Exit::busy, fmt::format("{} is held, or has marks, which the home must not pass", log),
		     fmt::format("--release brings home all the same, and drops them; 'jbdctl rollback {} MARK' returns to one.", log)};
}

} // namespace jbd

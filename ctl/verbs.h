// SPDX-License-Identifier: GPL-2.0-only
//
// The verbs. Each add_*() is in the file of its name, with the words it takes, its
// help, and what it does.
//
// Always true: a verb prints its result on standard output; warnings and progress go
// to standard error.
#ifndef JBDCTL_VERBS_H
#define JBDCTL_VERBS_H

#include <memory>
#include <string>
#include <vector>

#include "command.h"
#include "core.h"
#include "result.h"
#include "table.h"

namespace jbd {

void add_create(const Command &app);
void add_open(const Command &app);
void add_close(const Command &app);
void add_remove(const Command &app);
void add_list(const Command &app);
void add_status(const Command &app);
void add_checkpoint(const Command &app);
void add_mark(const Command &app);
void add_rollback(const Command &app);
void add_log_dump(const Command &log);
void add_log_verify(const Command &log);
void add_recover(const Command &app);

// The words that create and open have in common.
struct TableWords {
	std::string flush, intent, order;
	std::vector<std::string> options;

	void add_to(const Command &command);
	Result<Options> parse() const;
	// as they are given on a command line, with a space before each
	std::string text() const;
	// What parse() gave, made complete for a log of @log, and the intent device if there is one:
	// how much a batch covers, and what the checkpoint calls @intent_name.
	Result<> complete(Options &parsed, const jgeo &log, const igeo *intent, const std::string &intent_name) const;
};

void warn(const std::string &text);

} // namespace jbd

#endif

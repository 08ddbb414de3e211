// SPDX-License-Identifier: GPL-2.0-only
//
// The verbs. Each add_*() is in the file of its name, with the words it takes, its
// help, and what it does.
//
// Always true: a verb prints its result on standard output; warnings and progress go
// to standard error.
#ifndef JBDCTL_VERBS_H
#define JBDCTL_VERBS_H

#include <CLI/CLI.hpp>

#include <functional>
#include <string>
#include <vector>

#include "result.h"
#include "table.h"

namespace jbd {

// What is to be done, once the command line has been read.
using Verb = std::function<Result<>()>;

void add_create(CLI::App &app, Verb &verb);
void add_open(CLI::App &app, Verb &verb);
void add_close(CLI::App &app, Verb &verb);
void add_remove(CLI::App &app, Verb &verb);
void add_list(CLI::App &app, Verb &verb);
void add_status(CLI::App &app, Verb &verb);
void add_checkpoint(CLI::App &app, Verb &verb);
void add_log_dump(CLI::App &log, Verb &verb);
void add_log_verify(CLI::App &log, Verb &verb);
void add_recover(CLI::App &app, Verb &verb);

// The words that create and open have in common.
struct TableWords {
	std::string flush;
	std::vector<std::string> options;

	void add_to(CLI::App &app);
	Result<Options> parse() const;
};

// For the end of a verb's help.
std::string example(const std::string &lines);

void warn(const std::string &text);

} // namespace jbd

#endif

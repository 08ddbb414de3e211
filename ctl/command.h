// SPDX-License-Identifier: GPL-2.0-only
//
// A verb's command line. CLI11 stays behind it: its headers cost seconds in each file.
//
// Always true: values are set while main() reads the command line; what the verb does
// comes after. Crashes leave nothing here.
#ifndef JBDCTL_COMMAND_H
#define JBDCTL_COMMAND_H

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "result.h"

namespace CLI {
class App;
class Option;
}

namespace jbd {

// What is to be done, once the command line has been read.
using Verb = std::function<Result<>()>;

class Command {
public:
	Command(CLI::App *app, Verb *verb) : app_(app), verb_(verb) {}

	Command add(const std::string &name, const std::string &help) const;

	CLI::Option *argument(const std::string &name, std::string &value, const std::string &help) const;
	CLI::Option *option(const std::string &flags, const std::string &unit, std::string &value,
			    const std::string &help) const;
	CLI::Option *option(const std::string &flags, const std::string &unit, std::optional<std::uint64_t> &value,
			    const std::string &help) const;
	// May be repeated.
	CLI::Option *option(const std::string &flags, const std::string &unit, std::vector<std::string> &values,
			    const std::string &help) const;
	// With a value or without, which is an empty one.
	CLI::Option *option_with_default(const std::string &flags, const std::string &unit, std::optional<std::string> &value,
					 const std::string &help) const;
	CLI::Option *flag(const std::string &flags, bool &value, const std::string &help) const;

	void example(const std::string &lines) const;
	void does(Verb verb) const;

private:
	CLI::App *app_;
	Verb *verb_;
};

void required(std::initializer_list<CLI::Option *> options);
void exclusive(CLI::Option *option, std::initializer_list<CLI::Option *> others);
void needs(CLI::Option *option, CLI::Option *other);

} // namespace jbd

#endif

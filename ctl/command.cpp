// SPDX-License-Identifier: GPL-2.0-only
//
// Crashes leave nothing here.
#include "command.h"

#include <CLI/CLI.hpp>

namespace jbd {

Command Command::add(const std::string &name, const std::string &help) const
{
	return {app_->add_subcommand(name, help), verb_};
}

CLI::Option *Command::argument(const std::string &name, std::string &value, const std::string &help) const
{
	return app_->add_option(name, value, help)->option_text(" ");
}

CLI::Option *Command::option(const std::string &flags, const std::string &unit, std::string &value,
			     const std::string &help) const
{
	return app_->add_option(flags, value, help)->option_text(unit);
}

CLI::Option *Command::option(const std::string &flags, const std::string &unit, std::optional<std::uint64_t> &value,
			     const std::string &help) const
{
	return app_->add_option(flags, value, help)->option_text(unit);
}

CLI::Option *Command::option(const std::string &flags, const std::string &unit, std::vector<std::string> &values,
			     const std::string &help) const
{
	return app_->add_option(flags, values, help)->option_text(unit)->allow_extra_args(false);
}

CLI::Option *Command::option_with_default(const std::string &flags, const std::string &unit,
					  std::optional<std::string> &value, const std::string &help) const
{
	const auto take = [&value](const CLI::results_t &words) {
		value = words.empty() ? "" : words[0];
		return true;
	};

	return app_->add_option(flags, take, help)->expected(0, 1)->option_text(unit);
}

CLI::Option *Command::flag(const std::string &flags, bool &value, const std::string &help) const
{
	return app_->add_flag(flags, value, help)->option_text(" ");
}

void Command::example(const std::string &lines) const
{
	std::string text = "Example:\n  ";

	for (char c : lines) {
		text += c;
		if (c == '\n')
			text += "  ";
	}
	app_->footer(text + "\n\nExit codes are listed by 'jbdctl --help' and in jbdctl(8).");
}

void Command::does(Verb verb) const
{
	app_->callback([verb = std::move(verb), to = verb_] { *to = verb; });
}

void required(std::initializer_list<CLI::Option *> options)
{
	for (CLI::Option *option : options)
		option->required();
}

void exclusive(CLI::Option *option, std::initializer_list<CLI::Option *> others)
{
	for (CLI::Option *other : others)
		option->excludes(other);
}

void needs(CLI::Option *option, CLI::Option *other)
{
	option->needs(other);
}

} // namespace jbd

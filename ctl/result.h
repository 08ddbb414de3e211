// SPDX-License-Identifier: GPL-2.0-only
//
// What a step ends in: a value, or an Error.
//
// Always true: an Error says what is wrong and where (device, place), and what to
// do next. It is returned, never thrown, so it may cross callbacks of C libraries,
// and main() prints it once. Crashes leave nothing here.
#ifndef JBDCTL_RESULT_H
#define JBDCTL_RESULT_H

#include <string>
#include <utility>
#include <variant>

namespace jbd {

// Exit codes; documented in jbdctl(8) and by --help.
enum class Exit {
	ok = 0,
	usage = 1,		// wrong words on the command line
	permission = 2,
	device = 3,		// not found, or not the right one
	busy = 4,		// in use, or exists already
	damage = 5,		// the log lacks records that it had promised
	io = 6,			// a device failed
	interrupted = 7,	// by a signal or a timeout; the work can be taken up again
	kernel = 8,		// the module is missing, or refused
};

struct Error {
	Exit code;
	std::string text;
	std::string hint{};	// what to do next
};

struct Nothing {};

template <typename T = Nothing>
class [[nodiscard]] Result {
public:
	Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
	Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

	explicit operator bool() const { return state_.index() == 0; }
	T &operator*() { return std::get<0>(state_); }
	const T &operator*() const { return std::get<0>(state_); }
	T *operator->() { return &std::get<0>(state_); }
	const T *operator->() const { return &std::get<0>(state_); }
	const Error &error() const { return std::get<1>(state_); }

private:
	std::variant<T, Error> state_;
};

inline Result<> done() { return Nothing{}; }

// The Error for errno value @error: "@what: No such file or directory".
Error os_error(int error, const std::string &what, std::string hint = {});

// Messages for people. That nobody can read them is no error.
void to_stderr(const std::string &text) noexcept;

} // namespace jbd

#endif

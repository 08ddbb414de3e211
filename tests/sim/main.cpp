// SPDX-License-Identifier: GPL-2.0-only
/*
 * sim [--seconds N] [--seed S] [--cases N] [--like CASE] [--rollbacks N] [--exhaustive SCHEDULES] [--replay CASE]
 *     [--until-red]
 *
 * Seconds are the processor's. Cases are random ones; with --like they are that case by other schedules.
 * Runs cases and prints each violation shrunk, as a case to replay. Exit status: 0 nothing was violated, 1 something was,
 * 2 wrong usage.
 */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>

#include "world.h"

using namespace sim;

namespace {

struct Options {
	double seconds = 0;
	uint64_t seed = 1, cases = 0, rollbacks = 0, exhaustive = 0;
	std::string replay, like;
	bool until_red = false;
};

Options options;
Totals totals;
unsigned violations;

/* Processor time: how much is tried does not depend on what else the machine does. */
double elapsed()
{
	return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

bool over()
{
	return (options.seconds && elapsed() > options.seconds) || violations >= (options.until_red ? 1 : 3);
}

void run(const Case &c, const char *kind, uint64_t number)
{
	Violation v = run_case(c, totals);

	if (!v.any())
		return;
	violations++;
	if (options.until_red) {
		std::printf("red %s %llu, %llu states: %s: %s\n", kind, static_cast<unsigned long long>(number),
			    static_cast<unsigned long long>(totals.states), v.rule.c_str(), v.text.c_str());
		return;
	}
	std::printf("not ok %s %llu: %s: %s\n", kind, static_cast<unsigned long long>(number), v.rule.c_str(), v.text.c_str());
	std::printf("#   whole: tests/sim/build/sim --replay '%s'\n", c.text().c_str());
	std::fflush(stdout);
	Case small = shrink(c, v, 20);
	run_case(small, totals, true);
	std::printf("#   again: tests/sim/build/sim --replay '%s'\n", small.text().c_str());
}

Case parsed(const std::string &text)
{
	Case c;

	if (Case::parse(text, c))
		return c;
	std::fprintf(stderr, "sim: no case: %s\n", text.c_str());
	std::exit(2);
}

Case rescheduled(Case c, uint64_t number)
{
	Random r(number);

	for (Generation &g : c.gens) {
		g.seed = r.next();
		if (r.chance(50))
			g.pick = static_cast<uint32_t>(r.next());
	}
	return c;
}

int replay()
{
	const Case c = parsed(options.replay);

	machine_log(true);
	Violation v = run_case(c, totals, true);
	std::printf("%s\n", v.any() ? "violated" : "nothing is violated");
	return v.any();
}

void report()
{
	std::printf("# marks %llu, rollbacks %llu\n", static_cast<unsigned long long>(totals.marks),
		    static_cast<unsigned long long>(totals.rollbacks));
	std::printf("# states tried %llu, distinct images %llu, crash points %llu, generations %llu, cases %llu, %.0f states/s, %.1f s\n",
		    static_cast<unsigned long long>(totals.states), static_cast<unsigned long long>(totals.distinct),
		    static_cast<unsigned long long>(totals.points), static_cast<unsigned long long>(totals.generations),
		    static_cast<unsigned long long>(totals.cases), static_cast<double>(totals.states) / elapsed(), elapsed());
}

int usage(const char *word)
{
	std::fprintf(stderr, "sim: what is %s?\n", word);
	return 2;
}

} /* namespace */

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		std::string word = argv[i];
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (word == "--until-red")
			options.until_red = true;
		else if (word == "--seconds")
			options.seconds = std::atof(value), i++;
		else if (word == "--seed")
			options.seed = std::strtoull(value, nullptr, 10), i++;
		else if (word == "--cases")
			options.cases = std::strtoull(value, nullptr, 10), i++;
		else if (word == "--rollbacks")
			options.rollbacks = std::strtoull(value, nullptr, 10), i++;
		else if (word == "--exhaustive")
			options.exhaustive = std::strtoull(value, nullptr, 10), i++;
		else if (word == "--replay")
			options.replay = value, i++;
		else if (word == "--like")
			options.like = value, i++;
		else
			return usage(argv[i]);
	}
	machine_once();
	if (!options.replay.empty())
		return replay();
	for (uint64_t s = 0; s < options.exhaustive && !over(); s++) {
		unsigned before = violations;

		for (uint64_t n = 0; n < exhaustive_count() && !over(); n++)
			run(exhaustive_case(n, s), "sequence", n);
		if (violations == before && !over() && !options.until_red)
			std::printf("ok all sequences of up to four operations, schedule %llu\n", static_cast<unsigned long long>(s));
	}
	if (options.cases || options.seconds) {
		unsigned before = violations;
		const Case like = options.like.empty() ? Case() : parsed(options.like);

		for (uint64_t n = options.seed; (!options.cases || n < options.seed + options.cases) && !over(); n++)
			run(options.like.empty() ? random_case(n) : rescheduled(like, n), "seed", n);
		if (violations == before && !options.until_red)
			std::printf("ok random cases from seed %llu on\n", static_cast<unsigned long long>(options.seed));
	}
	if (options.rollbacks) {
		for (uint64_t n = 0; totals.rollbacks < options.rollbacks && !over(); n++)
			run(random_case(options.seed + n, true), "rollback seed", options.seed + n);
		if (!violations && !over())
			std::printf("ok %llu rollbacks, to %llu marks, from seed %llu on\n", static_cast<unsigned long long>(totals.rollbacks),
				    static_cast<unsigned long long>(totals.marks), static_cast<unsigned long long>(options.seed));
	}
	report();
	return violations != 0;
}

// SPDX-License-Identifier: GPL-2.0-only
//
// mklog LOG HOME: write records into a log image that `jbdctl create --no-open` has
// formatted, or `jbdctl recover` emptied, as the journal would; and apply those that
// a recovery must bring back to HOME, an image of what is to be expected.
//
// Lines on standard input, EXTENT being KIND:SECTOR+LEN, KIND data, discard or zeroes:
//
//   commit EXTENT..   a record that was acknowledged as durable
//   write EXTENT..    a record that is whole, but was never acknowledged
//   torn EXTENT..     one of which the last sector never reached the log; not in HOME
//   lost EXTENT..     one that never reached the log at all; not in HOME
//   rotten EXTENT..   one that was durable, and whose payload a bit has flipped in; not in HOME
//   behind EXTENT..   durable, but behind something that ends the replay; not in HOME
//   epoch             a flush was acknowledged: later records are of the next epoch
//   tail              what was written so far has been checkpointed
//   begun             a checkpoint of what was written so far has begun
//   retire            set the flag that the home went on without the log
//   running           set the flag of an active volume
//   home FILE         copy HOME, as it is now, to FILE
//
// Always true: the log that is left follows the rules of docs/format.md, but for what
// the script damages.
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "../unit/logimage.h"

namespace {

using Bytes = std::vector<__u8>;

Bytes load(const char *path)
{
	std::ifstream file(path, std::ios::binary);

	return Bytes(std::istreambuf_iterator<char>(file), {});
}

void save(const std::string &path, const Bytes &bytes)
{
	std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char *>(bytes.data()),
						    static_cast<std::streamsize>(bytes.size()));
}

[[noreturn]] void die(const std::string &text)
{
	std::cerr << "mklog: " << text << '\n';
	exit(1);
}

std::vector<Extent> parse(std::istream &words)
{
	std::vector<Extent> extents;
	std::string word;

	while (words >> word) {
		const size_t colon = word.find(':'), plus = word.find('+');
		if (colon == word.npos || plus == word.npos)
			die("what is '" + word + "'?");
		const std::string kind = word.substr(0, colon);
		extents.push_back({std::stoull(word.substr(colon + 1)), static_cast<__u32>(std::stoul(word.substr(plus + 1))),
				   kind == "data" ? JFMT_DATA : kind == "discard" ? JFMT_DISCARD : JFMT_ZEROES});
	}
	return extents;
}

// The newest superblock of the image, and a LogImage that goes on from there.
LogImage take_up(Bytes bytes)
{
	LogImage log;
	jsuper supers[2];
	jsuper_verdict verdicts[2];

	for (unsigned i = 0; i < 2; i++)
		verdicts[i] = jsuper_decode(&bytes[i * JFMT_SUPER_STRIDE], bytes.size() / JFMT_SECTOR, &supers[i]);
	const int chosen = jsuper_choose(verdicts, supers);
	if (chosen < 0)
		die("not a usable log");
	log.sb = supers[chosen];
	log.bytes = std::move(bytes);
	log.head = log.tail_pos = log.sb.tail_pos;
	log.next_seq = log.sb.first_new_seq;
	log.link_seq = log.sb.barrier_seq;
	log.link_crc = log.sb.barrier_crc;
	log.durable = log.sb.durable_seq;
	log.tail_seq = log.sb.tail_seq;
	log.epoch = log.sb.epoch + 1;
	return log;
}

void apply(const LogImage &log, const Record &record, Bytes &home)
{
	for (size_t i = 0; i < record.extents.size(); i++) {
		const Extent &x = record.extents[i];
		__u8 *to = &home[x.home * JFMT_SECTOR];
		if (x.kind == JFMT_DATA)
			memcpy(to, &log.bytes[jring_dev(&log.sb.geo, record.at[i]) * JFMT_SECTOR], x.len * JFMT_SECTOR);
		else
			memset(to, 0, x.len * JFMT_SECTOR);
	}
}

void run_record(LogImage &log, Bytes &home, const std::string &verb, std::vector<Extent> extents)
{
	const bool durable = verb == "commit" || verb == "rotten" || verb == "behind";
	const Record record = durable ? log.commit(std::move(extents)) : log.write(std::move(extents));

	if (verb == "commit" || verb == "write")
		apply(log, record, home);
	else if (verb == "torn")
		log.tear(record, record.len - 1);
	else if (verb == "lost")
		log.lose(record);
	else if (verb == "rotten")
		log.flip((jring_dev(&log.sb.geo, record.at[0]) * JFMT_SECTOR + 100) * 8);
	else if (verb != "behind")
		die("what is '" + verb + "'?");
}

} // namespace

int main(int argc, char **argv)
{
	if (argc != 3)
		die("usage: mklog LOG HOME < SCRIPT");
	LogImage log = take_up(load(argv[1]));
	Bytes home = load(argv[2]);
	std::string line, verb, file;

	while (std::getline(std::cin, line)) {
		std::istringstream words(line);
		if (!(words >> verb))
			continue;
		if (verb == "epoch") {
			log.epoch++;
		} else if (verb == "tail") {
			log.move_tail(log.written.back());
		} else if (verb == "begun") {
			log.sb.ckpt_to_seq = log.written.back().seq;
			log.sb.ckpt_to_pos = log.written.back().end();
		} else if (verb == "retire") {
			log.sb.flags |= JFMT_SUPER_RETIRED;
		} else if (verb == "running") {
			log.sb.flags |= JFMT_SUPER_RUNNING;
		} else if (verb == "home") {
			words >> file;
			save(file, home);
		} else {
			run_record(log, home, verb, parse(words));
		}
	}
	log.sb.generation++;
	jsuper_encode(&log.sb, &log.bytes[log.sb.generation % 2 * JFMT_SUPER_STRIDE]);
	save(argv[1], log.bytes);
	save(argv[2], home);
}
